import { resolve } from "./path.js"

const { URL, URLSearchParams } = globalThis
export { URL, URLSearchParams }

export const fileURLToPath = (url) => {
  const u = new URL(url)
  if (u.protocol !== "file:") throw new TypeError("The URL must be of scheme file")
  return decodeURIComponent(u.pathname)
}

export const pathToFileURL = (path) => {
  const u = new URL("file:///")
  u.pathname = (resolve(path) + (path.length > 1 && path.endsWith("/") ? "/" : "")).replaceAll("%", "%25").replaceAll("?", "%3F").replaceAll("#", "%23")
  return u
}

export const domainToASCII = (domain) => {
  try {
    return new URL(`http://${domain}`).hostname
  } catch {
    return ""
  }
}

export const format = (url, { fragment = true, search = true, auth = true } = {}) => {
  const u = new URL(url)
  if (!fragment) u.hash = ""
  if (!search) u.search = ""
  if (!auth) u.username = u.password = ""
  return u.href
}

export default { URL, URLSearchParams, fileURLToPath, pathToFileURL, domainToASCII, format }
