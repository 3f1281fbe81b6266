// The POSIX half of node:path. The current folder is "/".
export const sep = "/"
export const delimiter = ":"

const segments = (path, absolute) => {
  const out = []
  for (const part of path.split("/")) {
    if (part === "" || part === ".") continue
    if (part !== "..") out.push(part)
    else if (out.length && out.at(-1) !== "..") out.pop()
    else if (!absolute) out.push("..")
  }
  return out
}

export const isAbsolute = (path) => path.startsWith("/")

export const normalize = (path) => {
  if (path === "") return "."
  const absolute = isAbsolute(path)
  let out = segments(path, absolute).join("/")
  if (out === "" && !absolute) out = "."
  if (out !== "" && path.endsWith("/")) out += "/"
  return absolute ? "/" + out : out
}

export const join = (...paths) => normalize(paths.filter((p) => p !== "").join("/"))

export const resolve = (...paths) => {
  let whole = ""
  for (let i = paths.length - 1; i >= 0 && !isAbsolute(whole); i--) {
    if (paths[i] !== "") whole = whole === "" ? paths[i] : paths[i] + "/" + whole
  }
  return "/" + segments("/" + whole, true).join("/")
}

export const relative = (from, to) => {
  const a = segments(resolve(from), true)
  const b = segments(resolve(to), true)
  let same = 0
  while (same < a.length && same < b.length && a[same] === b[same]) same++
  return [...a.slice(same).map(() => ".."), ...b.slice(same)].join("/")
}

const trimmed = (path) => {
  let end = path.length
  while (end > 1 && path[end - 1] === "/") end--
  return path.slice(0, end)
}

export const dirname = (path) => {
  const whole = trimmed(path)
  const i = whole.lastIndexOf("/")
  if (i < 0) return "."
  if (i === 1 && whole[0] === "/") return "//"
  return whole.slice(0, i) || "/"
}

export const basename = (path, suffix = "") => {
  const whole = trimmed(path)
  const base = whole.slice(whole.lastIndexOf("/") + 1)
  return suffix !== "" && base !== suffix && base.endsWith(suffix) ? base.slice(0, -suffix.length) : base
}

export const extname = (path) => {
  const base = basename(path)
  const i = base.lastIndexOf(".")
  return i <= 0 || base === ".." ? "" : base.slice(i)
}

export const parse = (path) => {
  const base = basename(path)
  const ext = extname(path)
  const dir = trimmed(path).includes("/") ? dirname(path) : ""
  return { root: isAbsolute(path) ? "/" : "", dir, base, ext, name: ext ? base.slice(0, -ext.length) : base }
}

export const format = ({ root = "", dir = root, name = "", ext = "", base }) => {
  const file = base ?? name + (ext && !ext.startsWith(".") ? "." + ext : ext)
  if (!dir) return file
  return dir === root ? dir + file : dir + "/" + file
}

export const toNamespacedPath = (path) => path

export const posix = { sep, delimiter, isAbsolute, normalize, join, resolve, relative, dirname, basename, extname, parse, format, toNamespacedPath }
posix.posix = posix
export default posix
