// Web IDL's rules, for classes written by hand: the shape that the standard asks of an interface, and the conversions
// of arguments.

// shape makes a class what Web IDL calls an interface object: its public members are enumerable, and its instances
// say their class's name.
export function shape(Class, name = Class.name) {
  for (const holder of [Class, Class.prototype]) {
    for (const key of Object.getOwnPropertyNames(holder)) {
      const property = Object.getOwnPropertyDescriptor(holder, key);
      if (key === "constructor" || !property.configurable) continue;
      if (holder === Class && (key === "length" || key === "name")) continue;
      Object.defineProperty(holder, key, { ...property, enumerable: true });
    }
  }
  Object.defineProperty(Class.prototype, Symbol.toStringTag, { value: name, configurable: true });
  return Class;
}

// constants defines Web IDL constants on an interface and on its prototype.
export function constants(Class, values) {
  for (const [name, value] of Object.entries(values)) {
    const property = { value, enumerable: true };
    Object.defineProperty(Class, name, property);
    Object.defineProperty(Class.prototype, name, property);
  }
}

// iterable gives Class the methods of `iterable<K, V>`. next(object, index) returns the entry at index as [key, value],
// or undefined past the end; it is asked anew at each step, so that changes while iterating show.
export function iterable(Class, name, next) {
  const Iterator = iteratorClass(name, next);
  const methods = {
    entries() {
      next(this, 0);
      return new Iterator(this, 2);
    },
    forEach(callback, thisArg = undefined) {
      next(this, 0);
      needArguments(arguments, 1, name, "forEach");
      if (typeof callback !== "function") throw new TypeError(`${name}.forEach: the callback is not a function`);
      for (let i = 0, entry; (entry = next(this, i)) !== undefined; i++) callback.call(thisArg, entry[1], entry[0], this);
    },
    keys() {
      next(this, 0);
      return new Iterator(this, 0);
    },
    values() {
      next(this, 0);
      return new Iterator(this, 1);
    },
  };
  for (const [key, value] of Object.entries(methods)) {
    Object.defineProperty(Class.prototype, key, { value, writable: true, enumerable: true, configurable: true });
  }
  Object.defineProperty(Class.prototype, Symbol.iterator, { value: methods.entries, writable: true, configurable: true });
}

function iteratorClass(name, next) {
  class Iterator {
    #object;
    #part; // 0 the keys, 1 the values, 2 both
    #index = 0;

    constructor(object, part) {
      this.#object = object;
      this.#part = part;
    }

    next() {
      const entry = next(this.#object, this.#index);
      if (entry === undefined) return { value: undefined, done: true };
      this.#index++;
      return { value: this.#part === 2 ? [entry[0], entry[1]] : entry[this.#part], done: false };
    }
  }
  const { prototype } = Iterator;
  delete prototype.constructor;
  Object.setPrototypeOf(prototype, IteratorPrototype);
  Object.defineProperty(prototype, "next", { enumerable: true });
  Object.defineProperty(prototype, Symbol.toStringTag, { value: `${name} Iterator`, configurable: true });
  return Iterator;
}

const IteratorPrototype = Object.getPrototypeOf(Object.getPrototypeOf([][Symbol.iterator]()));

// expose puts interface objects on the global as Web IDL wants them: writable, configurable, not enumerable.
export function expose(classes) {
  for (const [name, value] of Object.entries(classes)) {
    nameIt(value, name);
    Object.defineProperty(globalThis, name, { value, writable: true, enumerable: false, configurable: true });
  }
}

// exposeOperations puts the global's own methods there: enumerable.
export function exposeOperations(functions) {
  for (const [name, value] of Object.entries(functions)) {
    nameIt(value, name);
    Object.defineProperty(globalThis, name, { value, writable: true, enumerable: true, configurable: true });
  }
}

// nameIt gives a class or function the name back that the bundler has changed where another file uses the same one.
function nameIt(value, name) {
  const given = value.name;
  if (typeof value !== "function" || given === name) return;
  Object.defineProperty(value, "name", { value: name, configurable: true });
  if (value.prototype?.[Symbol.toStringTag] === given) {
    Object.defineProperty(value.prototype, Symbol.toStringTag, { value: name, configurable: true });
  }
}

// exposeReplaceable puts a value on the global that is made when it is first asked for, and that an assignment replaces.
export function exposeReplaceable(name, get) {
  Object.defineProperty(globalThis, name, {
    get,
    set(value) {
      Object.defineProperty(globalThis, name, { value, writable: true, enumerable: true, configurable: true });
    },
    enumerable: true,
    configurable: true,
  });
}

// eventHandler defines an attribute such as onabort: the function that is set listens to the event.
export function eventHandler(prototype, type, { get, set }) {
  Object.defineProperty(prototype, `on${type}`, {
    get() { return get(this, type); },
    set(value) { set(this, type, value); },
    enumerable: true,
    configurable: true,
  });
}

export function needArguments(args, count, ...where) {
  if (args.length < count) {
    throw new TypeError(`${where.join(".")}: ${count} argument${count > 1 ? "s" : ""} required, but only ` +
      `${args.length} present`);
  }
}

export function isObject(value) {
  return (typeof value === "object" && value !== null) || typeof value === "function";
}

// dictionary accepts what Web IDL accepts as one; its members are read by the caller, in the order of their names.
export function dictionary(value, where) {
  if (value === undefined || value === null) return emptyDictionary;
  if (!isObject(value)) throw new TypeError(`${where}: the options are not an object`);
  return value;
}

const emptyDictionary = Object.freeze({ __proto__: null });

// usv converts to a USVString: a string without lone surrogates.
export function usv(value) {
  const string = typeof value === "string" ? value : `${value}`;
  return string.toWellFormed();
}

// enforceRange converts to an integer from 0 to max, for [EnforceRange] unsigned types.
export function enforceRange(value, max, where) {
  const number = Math.trunc(Number(value));
  if (!(number >= 0 && number <= max)) throw new TypeError(`${where} is outside of 0 to ${max}`);
  return number + 0;
}

// bytesOf returns the bytes of a BufferSource without copying them; undefined for anything else. shared admits
// SharedArrayBuffers ([AllowShared]).
export function bytesOf(value, shared = false) {
  if (value instanceof Uint8Array && (shared || !isShared(value.buffer))) return value;
  if (ArrayBuffer.isView(value)) {
    if (!shared && isShared(value.buffer)) return undefined;
    return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
  }
  if (isArrayBuffer(value) || (shared && isShared(value))) return new Uint8Array(value);
  return undefined;
}

const arrayTag = Object.getOwnPropertyDescriptor(Object.getPrototypeOf(Uint8Array.prototype), Symbol.toStringTag).get;

// typedArrayName is "Uint8Array" and so on; undefined for what is no typed array.
export function typedArrayName(value) {
  return arrayTag.call(value);
}

const byteLength = Object.getOwnPropertyDescriptor(ArrayBuffer.prototype, "byteLength").get;

export function isArrayBuffer(value) {
  if (typeof value !== "object" || value === null) return false;
  if (value instanceof ArrayBuffer && Object.getPrototypeOf(value) === ArrayBuffer.prototype) return true;
  try {
    byteLength.call(value);
    return true;
  } catch {
    return false;
  }
}

function isShared(value) {
  return typeof SharedArrayBuffer === "function" && value instanceof SharedArrayBuffer;
}
