// structuredClone, and the same for messages: https://html.spec.whatwg.org/#safe-passing-of-structured-data
// Containers are walked here, since V8's serializer takes the platform's objects for plain ones; what holds nothing
// (dates, regular expressions, errors, …), and what can't be cloned at all, is V8's.

import { native } from "../native.js";
import { cloneBlob, isBlob } from "./blob.js";
import { DOMException, isDOMException } from "./domexception.js";
import { bytesOf, dictionary, isArrayBuffer, needArguments, typedArrayName } from "./idl.js";

const cloners = [];
const movers = [];
const refused = new Set();

// cloneable says how the objects that is() recognises are copied.
export function cloneable(is, copy) {
  cloners.push({ is, copy });
}

// transferable says how the objects that is() recognises are moved: move(object) makes the new one and leaves the old
// one without function, which canMove(object) knows.
export function transferable(is, canMove, move) {
  movers.push({ is, canMove, move });
}

// notCloneable names classes of the platform whose objects are never copied.
export function notCloneable(...classes) {
  for (const Class of classes) refused.add(Class.prototype);
}

cloneable(isBlob, cloneBlob);
cloneable(isDOMException, (error) => {
  const copy = new DOMException(error.message, error.name);
  Object.defineProperty(copy, "stack", { value: error.stack, writable: true, configurable: true });
  return copy;
});

export function structuredClone(value, options = undefined) {
  needArguments(arguments, 1, "structuredClone");
  const { transfer } = dictionary(options, "structuredClone");
  return cloneAndMove(value, transfer === undefined ? [] : [...transfer]).value;
}

// cloneAndMove copies value and moves what the list names: { value, moved }, moved in the list's order. Nothing is
// moved when something can't be.
export function cloneAndMove(value, list) {
  const pending = new Map(); // what will be moved → what stands for it until then
  for (const object of list) {
    if (pending.has(object)) refuse("an object is listed twice for transfer");
    pending.set(object, new Pending(findMove(object)));
  }
  const cloner = new Cloner(pending);
  const copy = cloner.clone(value);
  const moved = [];
  for (const [object, stand] of pending) {
    stand.value = stand.move(object);
    moved.push(stand.value);
  }
  return { value: cloner.settle(copy), moved };
}

function findMove(object) {
  if (isArrayBuffer(object)) {
    if (object.detached) refuse("an ArrayBuffer to transfer is detached");
    return (buffer) => buffer.transfer();
  }
  const mover = movers.find(({ is }) => is(object));
  if (mover === undefined) refuse("an object can't be transferred");
  if (!mover.canMove(object)) refuse("an object was transferred before");
  return mover.move;
}

// Pending stands in a copy for what is yet to be moved.
class Pending {
  constructor(move) {
    this.move = move;
    this.value = undefined;
  }
}

class PendingView {
  constructor(buffer, make) {
    this.buffer = buffer;
    this.make = make;
    this.view = undefined;
  }
}

class Cloner {
  #seen;
  #containers; // those that may hold a Pending, where there is one

  constructor(pending) {
    this.#seen = pending.size === 0 ? new Map() : new Map(pending);
    this.#containers = pending.size === 0 ? undefined : [];
  }

  clone(value) {
    if (typeof value === "symbol" || typeof value === "function") refuse(`${describe(value)} could not be cloned`);
    if (typeof value !== "object" || value === null) return value;
    const seen = this.#seen.get(value);
    if (seen !== undefined) return seen;
    if (native.proxyTarget(value) !== undefined) refuse("a Proxy could not be cloned");
    if (Array.isArray(value)) return this.#properties(value, new Array(value.length));
    const prototype = Object.getPrototypeOf(value);
    if (prototype === Object.prototype || prototype === null) return this.#properties(value, {});
    const copy = this.#special(value);
    return copy === undefined ? this.#properties(value, {}) : copy;
  }

  #properties(value, copy) {
    this.#remember(value, copy);
    for (const key of Object.keys(value)) {
      if (!Object.hasOwn(value, key)) continue; // a getter has deleted it
      const item = this.clone(value[key]);
      if (key === "__proto__") {
        Object.defineProperty(copy, key, { value: item, writable: true, enumerable: true, configurable: true });
      } else {
        copy[key] = item;
      }
    }
    return copy;
  }

  #special(value) {
    for (const { is, copy } of cloners) if (is(value)) return this.#remember(value, copy(value));
    for (let p = Object.getPrototypeOf(value); p !== null; p = Object.getPrototypeOf(p)) {
      if (refused.has(p)) refuse(`${describe(value)} could not be cloned`);
    }
    if (value instanceof Map) return this.#map(value);
    if (value instanceof Set) return this.#set(value);
    if (ArrayBuffer.isView(value)) return this.#view(value);
    if (isArrayBuffer(value)) return this.#buffer(value);
    for (const [Class, copy] of simple) {
      if (value instanceof Class) return this.#remember(value, copy(value));
    }
    if (shared().some((Class) => value instanceof Class)) return value;
    return leaves().some((Class) => value instanceof Class) ? this.#remember(value, leaf(value)) : undefined;
  }

  #map(value) {
    const copy = this.#remember(value, new Map());
    for (const [key, item] of [...value]) copy.set(this.clone(key), this.clone(item));
    return copy;
  }

  #set(value) {
    const copy = this.#remember(value, new Set());
    for (const item of [...value]) copy.add(this.clone(item));
    return copy;
  }

  #buffer(value) {
    if (value.detached) refuse("an ArrayBuffer is detached and could not be cloned");
    const options = value.resizable ? { maxByteLength: value.maxByteLength } : undefined;
    const copy = new ArrayBuffer(value.byteLength, options);
    new Uint8Array(copy).set(new Uint8Array(value));
    return this.#remember(value, copy);
  }

  #view(value) {
    const { byteOffset } = value;
    const tag = typedArrayName(value);
    const Class = tag === undefined ? DataView : globalThis[tag];
    const length = tag === undefined ? value.byteLength : value.length;
    const make = (buffer) => new Class(buffer, byteOffset, length);
    const buffer = this.clone(value.buffer);
    return this.#remember(value, buffer instanceof Pending ? new PendingView(buffer, make) : make(buffer));
  }

  #remember(value, copy) {
    this.#seen.set(value, copy);
    this.#containers?.push(copy);
    return copy;
  }

  // settle puts what was moved in the place of what stood for it.
  settle(root) {
    for (const container of this.#containers ?? []) {
      if (container instanceof Map) {
        const entries = [...container];
        container.clear();
        for (const [key, value] of entries) container.set(this.#settled(key), this.#settled(value));
      } else if (container instanceof Set) {
        const values = [...container];
        container.clear();
        for (const value of values) container.add(this.#settled(value));
      } else if (!(container instanceof PendingView) && bytesOf(container) === undefined) {
        for (const key of Object.keys(container)) {
          const settled = this.#settled(container[key]);
          if (settled !== container[key]) container[key] = settled;
        }
      }
    }
    return this.#settled(root);
  }

  #settled(value) {
    if (value instanceof Pending) return value.value;
    if (!(value instanceof PendingView)) return value;
    value.view ??= value.make(value.buffer.value);
    return value.view;
  }
}

const getter = (object, key) => Object.getOwnPropertyDescriptor(object, key).get;
const regExpSource = getter(RegExp.prototype, "source");
const regExpFlags = getter(RegExp.prototype, "flags");

// simple copies what V8's serializer takes fifty times as long for.
const simple = [
  [Date, (date) => new Date(Date.prototype.getTime.call(date))],
  [RegExp, (regexp) => new RegExp(regExpSource.call(regexp), regExpFlags.call(regexp))],
  ...[Boolean, Number, String, BigInt].map((Class) => [Class, (boxed) => Object(Class.prototype.valueOf.call(boxed))]),
];

// WebAssembly is looked up late: it isn't there yet while the snapshot is made.

// shared are the classes of what a clone has in common with the original.
function shared() {
  return [SharedArrayBuffer, WebAssembly.Module];
}

// leaves are the classes of what V8 copies or refuses.
function leaves() {
  return [Error, Symbol, Promise, WeakMap, WeakSet, WeakRef, FinalizationRegistry, WebAssembly.Memory, WebAssembly.Instance];
}

function leaf(value) {
  try {
    return native.structuredClone(value, undefined);
  } catch (error) {
    if (error?.name === "DataCloneError") refuse(error.message);
    throw error;
  }
}

function describe(value) {
  if (typeof value === "symbol") return String(value);
  if (typeof value === "function") return value.name === "" ? "a function" : `the function ${value.name}`;
  return Object.prototype.toString.call(value);
}

function refuse(message) {
  throw new DOMException(message, "DataCloneError");
}
