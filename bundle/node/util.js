const { TextEncoder, TextDecoder } = globalThis
export { TextEncoder, TextDecoder }

const custom = Symbol.for("nodejs.util.promisify.custom")

export const promisify = (fn) => {
  if (fn[custom]) return fn[custom]
  if (fn === globalThis.setTimeout) return (ms, value) => new Promise((resolve) => fn(resolve, ms, value))
  return function (...args) {
    return new Promise((resolve, reject) => {
      fn.call(this, ...args, (error, value) => (error ? reject(error) : resolve(value)))
    })
  }
}
promisify.custom = custom

export const callbackify = (fn) =>
  function (...args) {
    const done = args.pop()
    fn.apply(this, args).then(
      (value) => queueMicrotask(() => done(null, value)),
      (error) => queueMicrotask(() => done(error ?? new Error("Promise was rejected without a reason"))),
    )
  }

export const inherits = (child, parent) => {
  child.super_ = parent
  Object.setPrototypeOf(child.prototype, parent.prototype)
}

export const deprecate = (fn, message) => {
  let said = false
  return function (...args) {
    if (!said) console.warn("DeprecationWarning: " + message)
    said = true
    return fn.apply(this, args)
  }
}

// show calls inspect.custom of what has it, unless custom is false.
const show = (value, depth, seen, custom = true) => {
  switch (typeof value) {
    case "string":
      return seen.length ? `'${value}'` : value
    case "bigint":
      return value + "n"
    case "function":
      return value.name ? `[Function: ${value.name}]` : "[Function (anonymous)]"
    case "object":
      break
    default:
      return String(value)
  }
  if (value === null) return "null"
  if (custom && typeof value[inspect.custom] === "function" && !seen.includes(value)) {
    const options = { depth: depth === Infinity ? null : depth, stylize: String }
    const shown = value[inspect.custom](depth, options, inspect)
    if (shown !== value) return typeof shown === "string" ? shown : show(shown, depth, [...seen, value])
  }
  if (value instanceof Error) return value.stack ?? String(value)
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? "Invalid Date" : value.toISOString()
  if (value instanceof RegExp) return String(value)
  if (seen.includes(value)) return "[Circular]"
  const name = value.constructor?.name ?? "[Object: null prototype]"
  if (depth < 0) return Array.isArray(value) ? "[Array]" : `[${name}]`
  const inner = (v) => show(v, depth - 1, [...seen, value], custom)
  const wrap = (open, parts, close) => (parts.length ? `${open} ${parts.join(", ")} ${close}` : open + close)
  if (Array.isArray(value) || ArrayBuffer.isView(value)) return wrap("[", Array.from(value, inner), "]")
  if (value instanceof Map) return wrap(`Map(${value.size}) {`, [...value].map(([k, v]) => `${inner(k)} => ${inner(v)}`), "}")
  if (value instanceof Set) return wrap(`Set(${value.size}) {`, [...value].map(inner), "}")
  const parts = Object.keys(value).map((k) => `${k}: ${inner(value[k])}`)
  return wrap((name === "Object" ? "" : name + " ") + "{", parts, "}")
}

export const inspect = (value, options) => {
  const quoted = typeof value === "string" ? `'${value}'` : undefined
  return quoted ?? show(value, options?.depth === null ? Infinity : (options?.depth ?? 2), [], options?.customInspect !== false)
}
inspect.custom = Symbol.for("nodejs.util.inspect.custom")
inspect.defaultOptions = {}

const json = (value) => {
  try {
    return String(JSON.stringify(value))
  } catch (error) {
    if (String(error).includes("circular")) return "[Circular]"
    throw error
  }
}

export const format = (...args) => {
  if (!args.length) return ""
  const [first, ...rest] = args
  let text = ""
  if (typeof first === "string" && !rest.length) return first
  if (typeof first === "string") {
    text = first.replace(/%[sdifjoOc%]/g, (verb) => {
      if (verb === "%%") return "%"
      if (!rest.length) return verb
      const arg = rest.shift()
      switch (verb) {
        case "%d":
          return typeof arg === "symbol" ? "NaN" : String(Number(arg))
        case "%i":
          return String(parseInt(arg, 10))
        case "%f":
          return String(parseFloat(arg))
        case "%j":
          return json(arg)
        case "%c":
          return ""
        case "%s":
          return typeof arg === "object" ? inspect(arg, { depth: 0 }) : String(arg)
      }
      return inspect(arg)
    })
  } else {
    text = inspect(first)
  }
  return [text, ...rest.map((arg) => (typeof arg === "string" ? arg : inspect(arg)))].join(" ")
}

export const debuglog = () => Object.assign(() => {}, { enabled: false })
export const debug = debuglog
export const stripVTControlCharacters = (text) => text.replace(/\x1b\[[0-9;]*[A-Za-z]/g, "")
export const isArray = Array.isArray
export const toUSVString = (text) => String(text).toWellFormed()

const tag = (name) => (value) => Object.prototype.toString.call(value) === `[object ${name}]`
export const types = {
  isPromise: tag("Promise"),
  isDate: tag("Date"),
  isRegExp: tag("RegExp"),
  isMap: tag("Map"),
  isSet: tag("Set"),
  isWeakMap: tag("WeakMap"),
  isWeakSet: tag("WeakSet"),
  isAsyncFunction: tag("AsyncFunction"),
  isGeneratorFunction: tag("GeneratorFunction"),
  isArrayBuffer: tag("ArrayBuffer"),
  isSharedArrayBuffer: tag("SharedArrayBuffer"),
  isAnyArrayBuffer: (value) => value instanceof ArrayBuffer || tag("SharedArrayBuffer")(value),
  isArrayBufferView: ArrayBuffer.isView,
  isTypedArray: (value) => ArrayBuffer.isView(value) && !(value instanceof DataView),
  isUint8Array: (value) => value instanceof Uint8Array,
  isDataView: (value) => value instanceof DataView,
  isNativeError: (value) => value instanceof Error,
}

export default {
  TextEncoder, TextDecoder, promisify, callbackify, inherits, deprecate, inspect, format, debuglog, debug,
  stripVTControlCharacters, isArray, toUSVString, types,
}
