// The app's env, which the runtime sets before the app's modules run. Values
// written here stay in this isolate.
const current = () => globalThis[Symbol.for("nano.env")] ?? {}

export const env = new Proxy({}, {
  get: (own, key) => (key in own ? own[key] : current()[key]),
  has: (own, key) => key in own || key in current(),
  ownKeys: (own) => [...new Set([...Reflect.ownKeys(own), ...Reflect.ownKeys(current())])],
  getOwnPropertyDescriptor(own, key) {
    if (!(key in own) && !Object.hasOwn(current(), key)) return undefined
    return { value: this.get(own, key), writable: true, enumerable: true, configurable: true }
  },
})
