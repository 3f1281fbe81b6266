// CommonJS and a plain function, for packages write require("events").call(this).
function EventEmitter() {
  this._events ??= new Map()
}

// Objects that were given these methods without the constructor work too.
const lists = (emitter) => {
  if (!Object.hasOwn(emitter, "_events") || !(emitter._events instanceof Map)) emitter._events = new Map()
  return emitter._events
}

const add = (emitter, name, listener, once, first) => {
  if (typeof listener !== "function") throw new TypeError("The listener must be a function")
  const events = lists(emitter)
  if (events.has("newListener")) emitter.emit("newListener", name, listener)
  let entry = listener
  if (once) {
    entry = function (...args) {
      emitter.off(name, entry)
      return listener.apply(this, args)
    }
    entry.listener = listener
  }
  const before = events.get(name) ?? []
  events.set(name, first ? [entry, ...before] : [...before, entry])
  return emitter
}

const methods = {
  on(name, listener) {
    return add(this, name, listener, false, false)
  },
  once(name, listener) {
    return add(this, name, listener, true, false)
  },
  prependListener(name, listener) {
    return add(this, name, listener, false, true)
  },
  prependOnceListener(name, listener) {
    return add(this, name, listener, true, true)
  },
  off(name, listener) {
    const events = lists(this)
    const before = events.get(name) ?? []
    const i = before.findLastIndex((entry) => entry === listener || entry.listener === listener)
    if (i < 0) return this
    if (before.length === 1) events.delete(name)
    else events.set(name, before.toSpliced(i, 1))
    if (events.has("removeListener")) this.emit("removeListener", name, listener)
    return this
  },
  removeAllListeners(name) {
    const events = lists(this)
    const names = arguments.length ? [name] : this.eventNames().filter((n) => n !== "removeListener")
    for (const n of names) {
      if (events.has("removeListener")) for (const listener of this.listeners(n).reverse()) this.off(n, listener)
      events.delete(n)
    }
    if (!arguments.length) events.clear()
    return this
  },
  emit(name, ...args) {
    const events = lists(this)
    const listeners = events.get(name)
    if (name === "error") {
      for (const watch of events.get(EventEmitter.errorMonitor) ?? []) watch.apply(this, args)
      if (!listeners) {
        if (args[0] instanceof Error) throw args[0]
        throw new Error(`Unhandled error. (${String(args[0])})`)
      }
    }
    if (!listeners) return false
    // The list is replaced, never changed: this one stays as it is.
    for (const listener of listeners) listener.apply(this, args)
    return true
  },
  listeners(name) {
    return this.rawListeners(name).map((entry) => entry.listener ?? entry)
  },
  rawListeners(name) {
    return [...(lists(this).get(name) ?? [])]
  },
  listenerCount(name, listener) {
    return listener ? this.listeners(name).filter((l) => l === listener).length : this.rawListeners(name).length
  },
  eventNames() {
    // Symbols last, as an object's own keys are.
    return [...lists(this).keys()].sort((a, b) => (typeof a === "symbol") - (typeof b === "symbol"))
  },
  setMaxListeners(n) {
    this._maxListeners = n
    return this
  },
  getMaxListeners() {
    return this._maxListeners ?? EventEmitter.defaultMaxListeners
  },
}
methods.addListener = methods.on
methods.removeListener = methods.off
Object.assign(EventEmitter.prototype, methods)

const signalError = (signal) =>
  Object.assign(new Error("The operation was aborted", { cause: signal.reason }), { name: "AbortError", code: "ABORT_ERR" })

const once = (emitter, name, { signal } = {}) =>
  new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signalError(signal))
    const listen = emitter.addEventListener ? "addEventListener" : "on"
    const unlisten = emitter.addEventListener ? "removeEventListener" : "off"
    const settle = (outcome) => {
      emitter[unlisten](name, done)
      if (name !== "error") emitter[unlisten]("error", fail)
      signal?.removeEventListener("abort", aborted)
      outcome()
    }
    const done = (...args) => settle(() => resolve(args))
    const fail = (error) => settle(() => reject(error))
    const aborted = () => settle(() => reject(signalError(signal)))
    emitter[listen](name, done)
    if (name !== "error" && listen === "on") emitter.on("error", fail)
    signal?.addEventListener("abort", aborted, { once: true })
  })

const on = (emitter, name, { signal } = {}) => {
  const queue = []
  const waiting = []
  let failure
  let over = false
  const push = (...args) => {
    if (waiting.length) waiting.shift().resolve({ value: args, done: false })
    else queue.push(args)
  }
  const fail = (error) => {
    failure = { error }
    for (const w of waiting.splice(0)) w.reject(error)
  }
  const stop = () => {
    over = true
    emitter.off(name, push)
    emitter.off("error", fail)
    for (const w of waiting.splice(0)) w.resolve({ value: undefined, done: true })
    return Promise.resolve({ value: undefined, done: true })
  }
  emitter.on(name, push)
  if (name !== "error") emitter.on("error", fail)
  if (signal?.aborted) fail(signalError(signal))
  else signal?.addEventListener("abort", () => fail(signalError(signal)), { once: true })
  return {
    next() {
      if (queue.length) return Promise.resolve({ value: queue.shift(), done: false })
      if (failure) {
        const { error } = failure
        stop()
        failure = undefined
        return Promise.reject(error)
      }
      if (over) return Promise.resolve({ value: undefined, done: true })
      return new Promise((resolve, reject) => waiting.push({ resolve, reject }))
    },
    return: stop,
    throw(error) {
      stop()
      return Promise.reject(error)
    },
    [Symbol.asyncIterator]() {
      return this
    },
  }
}

module.exports = EventEmitter
Object.assign(EventEmitter, {
  EventEmitter,
  once,
  on,
  defaultMaxListeners: 10,
  errorMonitor: Symbol("events.errorMonitor"),
  captureRejectionSymbol: Symbol.for("nodejs.rejection"),
  captureRejections: false,
  setMaxListeners(n, ...emitters) {
    for (const e of emitters) e.setMaxListeners?.(n)
  },
  getMaxListeners: (emitter) => emitter.getMaxListeners?.() ?? EventEmitter.defaultMaxListeners,
  listenerCount: (emitter, name) => emitter.listenerCount(name),
  getEventListeners: (emitter, name) => emitter.listeners?.(name) ?? [],
  addAbortListener(signal, listener) {
    if (signal.aborted) queueMicrotask(listener)
    else signal.addEventListener("abort", listener, { once: true })
    return { [Symbol.dispose ?? Symbol.for("Symbol.dispose")]: () => signal.removeEventListener("abort", listener) }
  },
})
