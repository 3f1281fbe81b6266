const after = (ms, value, { signal } = {}) =>
  new Promise((resolve, reject) => {
    const aborted = () => {
      globalThis.clearTimeout(timer)
      reject(Object.assign(new Error("The operation was aborted", { cause: signal.reason }), { name: "AbortError", code: "ABORT_ERR" }))
    }
    const timer = globalThis.setTimeout(() => {
      signal?.removeEventListener("abort", aborted)
      resolve(value)
    }, ms)
    if (signal?.aborted) aborted()
    else signal?.addEventListener("abort", aborted, { once: true })
  })

export const setTimeout = (ms, value, options) => after(ms, value, options)
export const setImmediate = (value, options) => after(0, value, options)

export async function* setInterval(ms, value, options) {
  for (;;) yield await after(ms, value, options)
}

export const scheduler = { wait: (ms, options) => after(ms, undefined, options), yield: () => after(0) }

export default { setTimeout, setImmediate, setInterval, scheduler }
