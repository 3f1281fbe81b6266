// AsyncLocalStorage over V8's continuation-preserved data, which the runtime
// keeps as one value: here an immutable list with one frame for each storage.
const slot = globalThis[Symbol.for("nano.context")]

const without = (frame, storage) => {
  if (!frame) return undefined
  if (frame.storage === storage) return frame.next
  const next = without(frame.next, storage)
  return next === frame.next ? frame : { ...frame, next }
}

const inFrame = (frame, fn, self, args) => {
  const before = slot.get()
  slot.set(frame)
  try {
    return Reflect.apply(fn, self, args)
  } finally {
    slot.set(before)
  }
}

const bound = (frame, fn, self) =>
  function (...args) {
    return inFrame(frame, fn, self ?? this, args)
  }

export class AsyncLocalStorage {
  #defaultValue

  constructor({ defaultValue, name = "" } = {}) {
    this.#defaultValue = defaultValue
    this.name = name
  }

  static bind(fn) {
    return bound(slot.get(), fn)
  }

  static snapshot() {
    const frame = slot.get()
    return (fn, ...args) => inFrame(frame, fn, undefined, args)
  }

  getStore() {
    for (let frame = slot.get(); frame; frame = frame.next) {
      if (frame.storage === this) return frame.value
    }
    return this.#defaultValue
  }

  run(value, fn, ...args) {
    return inFrame({ storage: this, value, next: without(slot.get(), this) }, fn, undefined, args)
  }

  exit(fn, ...args) {
    return inFrame(without(slot.get(), this), fn, undefined, args)
  }

  enterWith(value) {
    slot.set({ storage: this, value, next: without(slot.get(), this) })
  }

  disable() {
    slot.set(without(slot.get(), this))
  }
}

export class AsyncResource {
  #frame = slot.get()

  constructor(type) {
    this.type = type
  }

  static bind(fn, type, self) {
    return bound(slot.get(), fn, self)
  }

  bind(fn, self) {
    return bound(this.#frame, fn, self)
  }

  runInAsyncScope(fn, self, ...args) {
    return inFrame(this.#frame, fn, self, args)
  }

  emitDestroy() {
    return this
  }

  asyncId() {
    return 0
  }

  triggerAsyncId() {
    return 0
  }
}

// Nothing is ever hooked: there are no such events to tell of.
export const createHook = () => {
  const hook = { enable: () => hook, disable: () => hook }
  return hook
}
export const executionAsyncId = () => 0
export const triggerAsyncId = () => 0
export const executionAsyncResource = () => ({})

export default {
  AsyncLocalStorage,
  AsyncResource,
  createHook,
  executionAsyncId,
  triggerAsyncId,
  executionAsyncResource,
}
