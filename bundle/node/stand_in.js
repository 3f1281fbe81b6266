// What a package gets for a module that NANO doesn't have. Looking something
// up in it works, as packages do that while they load; using it throws.
module.exports = (message) => {
  const standIn = (name) => {
    const fail = () => {
      throw new Error(name ? `${message} (needed for ${name})` : message)
    }
    const get = (target, key) => {
      if (key === "prototype") return target.prototype
      if (typeof key === "symbol" || key === "then" || key === "__esModule") return undefined
      return standIn(name ? `${name}.${key}` : key)
    }
    const lookup = new Proxy({}, { get })
    return new Proxy(function () {}, {
      get,
      apply: fail,
      construct: fail,
      // The bundler copies a module's own names and inherits the others.
      getPrototypeOf: () => lookup,
    })
  }
  return standIn("")
}
