const channels = new Map()

export class Channel {
  #subscribers = []

  constructor(name) {
    this.name = name
  }

  get hasSubscribers() {
    return this.#subscribers.length > 0
  }

  subscribe(fn) {
    this.#subscribers = [...this.#subscribers, fn]
  }

  unsubscribe(fn) {
    const before = this.#subscribers.length
    this.#subscribers = this.#subscribers.filter((s) => s !== fn)
    return this.#subscribers.length < before
  }

  publish(message) {
    for (const fn of this.#subscribers) fn(message, this.name)
  }

  runStores(message, fn, self, ...args) {
    this.publish(message)
    return Reflect.apply(fn, self, args)
  }
}

export const channel = (name) => {
  if (!channels.has(name)) channels.set(name, new Channel(name))
  return channels.get(name)
}
export const subscribe = (name, fn) => channel(name).subscribe(fn)
export const unsubscribe = (name, fn) => channel(name).unsubscribe(fn)
export const hasSubscribers = (name) => channels.get(name)?.hasSubscribers ?? false

export default { Channel, channel, subscribe, unsubscribe, hasSubscribers }
