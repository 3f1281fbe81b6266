import promises from "./timers_promises.js"

const { setTimeout, clearTimeout, setInterval, clearInterval } = globalThis
export { setTimeout, clearTimeout, setInterval, clearInterval, promises }

export const setImmediate = globalThis.setImmediate ?? ((fn, ...args) => setTimeout(fn, 0, ...args))
export const clearImmediate = globalThis.clearImmediate ?? clearTimeout

export default { setTimeout, clearTimeout, setInterval, clearInterval, setImmediate, clearImmediate, promises }
