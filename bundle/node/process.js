import EventEmitter from "./events.js"
import { env } from "./env.js"

export { env }
export const title = "nano"
export const platform = "linux"
export const arch = "wasm32"
export const version = ""
export const versions = {}
export const release = { name: "nano" }
export const argv = []
export const execArgv = []
export const features = {}
export const pid = 1
export const exitCode = undefined

export const nextTick = (fn, ...args) => queueMicrotask(() => fn(...args))
export const cwd = () => "/"
export const uptime = () => performance.now() / 1000
export const umask = () => 0o22
export const emitWarning = (warning) => console.warn(String(warning))

export const exit = () => {
  throw new Error("process.exit is not available in NANO: an app can't end the process")
}
export const abort = exit
export const chdir = () => {
  throw new Error("process.chdir is not available in NANO: an app has no current folder")
}
export const getBuiltinModule = () => undefined

export const hrtime = (since) => {
  const now = performance.now()
  let seconds = Math.floor(now / 1000)
  let nanoseconds = Math.floor((now % 1000) * 1e6)
  if (since) {
    seconds -= since[0]
    nanoseconds -= since[1]
    if (nanoseconds < 0) {
      seconds--
      nanoseconds += 1e9
    }
  }
  return [seconds, nanoseconds]
}
hrtime.bigint = () => BigInt(Math.floor(performance.now() * 1e6))

// write sends whole lines to the log.
const output = (log) => {
  let rest = ""
  return {
    isTTY: false,
    write(text) {
      const lines = (rest + text).split("\n")
      rest = lines.pop()
      for (const line of lines) log(line)
      return true
    },
  }
}
export const stdout = output((line) => console.log(line))
export const stderr = output((line) => console.error(line))

// Signals and exits never come, so listeners may be added and nothing more.
const emitter = new EventEmitter()
export const on = (...args) => (emitter.on(...args), process)
export const once = (...args) => (emitter.once(...args), process)
export const off = (...args) => (emitter.off(...args), process)
export const addListener = on
export const removeListener = off
export const removeAllListeners = (...args) => (emitter.removeAllListeners(...args), process)
export const emit = (...args) => emitter.emit(...args)
export const listeners = (name) => emitter.listeners(name)
export const listenerCount = (name) => emitter.listenerCount(name)

const process = {
  env, title, platform, arch, version, versions, release, argv, execArgv, features, pid, exitCode,
  nextTick, cwd, uptime, umask, emitWarning, exit, abort, chdir, getBuiltinModule, hrtime, stdout, stderr,
  on, once, off, addListener, removeListener, removeAllListeners, emit, listeners, listenerCount,
}
export default process
