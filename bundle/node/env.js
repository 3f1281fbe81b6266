// The app's env, which the runtime sets before the app's modules run. Values
// written here stay in this isolate.
const current = () => globalThis[Symbol.for("nano.env")] ?? {}
const deleted = new Set()
const theirs = (key) => !deleted.has(key) && Object.hasOwn(current(), key)

export const env = new Proxy({}, {
  get: (own, key) => (key in own ? own[key] : theirs(key) ? current()[key] : undefined),
  has: (own, key) => key in own || theirs(key),
  set(own, key, value, receiver) {
    const property = { value, writable: true, enumerable: true, configurable: true }
    return Reflect.defineProperty(receiver === env ? own : receiver, key, property)
  },
  defineProperty: (own, key, { value }) =>
    Reflect.defineProperty(own, key, { value, writable: true, enumerable: true, configurable: true }),
  deleteProperty(own, key) {
    deleted.add(key)
    return delete own[key]
  },
  ownKeys: (own) => [...new Set([...Reflect.ownKeys(own), ...Reflect.ownKeys(current()).filter(theirs)])],
  getOwnPropertyDescriptor(own, key) {
    if (!Object.hasOwn(own, key) && !theirs(key)) return undefined
    return { value: this.get(own, key), writable: true, enumerable: true, configurable: true }
  },
})
