// inspect shows any value as text, much as Node's util.inspect does. It runs no code of an app's, neither getters nor
// Proxy traps (V8 may, where an app has put getters on an Error whose stack nobody has looked at), never throws, and
// what it answers is bounded.
import { native } from "../native.js";

const MAX_LENGTH = 16384; // code units of the whole
const MAX_ITEMS = 100; // of one array, map or set
const MAX_STRING = 4096; // code units of one string inside an object
const MAX_PROTOS = 32; // of a prototype chain
const LINE = 76; // columns that a short object may take

const describers = new Map(); // prototype → (object) → [[key, value]]

// describeClass teaches inspect what to show of a class whose state is private.
export function describeClass(Class, fields) {
  describers.set(Class.prototype, fields);
}

export function inspect(value, depth = 4) {
  try {
    return clip(new Inspector(depth).show(value, 0), MAX_LENGTH);
  } catch {
    return "[what can't be shown]"; // so deep that the stack ends, say
  }
}

// clip cuts what is too long, and says so.
export function clip(text, max) {
  return text.length <= max ? text : `${text.slice(0, max)}… (${text.length - max} more characters)`;
}

class Inspector {
  #depth;
  #path = []; // the objects that the current one is in
  #left = MAX_LENGTH;

  constructor(depth) {
    this.#depth = depth;
  }

  show(value, indent) {
    const text = this.#format(value, indent);
    this.#left -= text.length;
    return text;
  }

  #format(value, indent) {
    if (typeof value === "string") return quote(value);
    if ((typeof value !== "object" && typeof value !== "function") || value === null) return primitive(value);
    const target = native.proxyTarget(value);
    if (target !== undefined) return target === null ? "<Revoked Proxy>" : this.#format(target, indent);
    if (this.#path.includes(value)) return "[Circular]";
    const shape = shapeOf(value);
    if (this.#path.length > this.#depth || this.#left <= 0) return shape.leaf ?? `[${shape.name}]`;
    this.#path.push(value);
    try {
      return this.#object(value, shape, indent);
    } finally {
      this.#path.pop();
    }
  }

  #object(object, { name, kind, protos, leaf }, indent) {
    const parts = [];
    const inner = indent + 2;
    const list = kind === "array" || kind === "typed";
    if (kind === "array") this.#array(object, parts, inner);
    else if (kind === "typed") this.#typed(object, parts);
    else if (kind === "map") this.#map(object, parts, inner);
    else if (kind === "set") this.#set(object, parts, inner);
    else if (kind === "promise") parts.push(this.#promise(object, inner));
    else if (kind === "buffer") parts.push(...bufferParts(object));
    else if (kind === "weak") parts.push("<items unknown>");
    const describer = protos.map((proto) => describers.get(proto)).find((found) => found !== undefined);
    if (describer !== undefined) {
      for (const [key, value] of describer(object)) parts.push(`${keyText(key)}: ${this.show(value, inner)}`);
    }
    this.#properties(object, kind, parts, inner);
    if (leaf !== undefined) return parts.length === 0 ? leaf : `${leaf} ${layout("{", parts, "}", indent, false)}`;
    const prefix = name === "Object" || (name === "Array" && kind === "array") ? "" : `${name} `;
    if (list) return prefix + layout("[", parts, "]", indent, true);
    return prefix + layout("{", parts, "}", indent, false);
  }

  #array(array, parts, indent) {
    const { length } = array;
    let holes = 0;
    let shown = 0;
    const flush = () => {
      if (holes > 0) parts.push(`<${holes} empty item${holes === 1 ? "" : "s"}>`);
      holes = 0;
    };
    let i = 0;
    for (; i < length && shown < MAX_ITEMS && this.#left > 0; i++) {
      const property = Object.getOwnPropertyDescriptor(array, i);
      if (property === undefined) {
        holes++;
        if (holes > MAX_ITEMS) { // a huge sparse array is not walked
          holes += length - i - 1;
          i = length;
          break;
        }
        continue;
      }
      flush();
      parts.push(this.#property(property, indent));
      shown++;
    }
    flush();
    more(parts, length - i);
  }

  #typed(array, parts) {
    const length = typedLength(array);
    const shown = Math.min(length, MAX_ITEMS);
    for (let i = 0; i < shown; i++) parts.push(primitive(array[i]));
    more(parts, length - shown);
  }

  #map(map, parts, indent) {
    const size = mapSize.call(map);
    let shown = 0;
    const entries = mapEntries.call(map);
    for (let step = nextEntry(entries); !step.done && shown < MAX_ITEMS; step = nextEntry(entries), shown++) {
      parts.push(`${this.show(step.value[0], indent)} => ${this.show(step.value[1], indent)}`);
    }
    more(parts, size - shown);
  }

  #set(set, parts, indent) {
    const size = setSize.call(set);
    let shown = 0;
    const values = setValues.call(set);
    for (let step = nextValue(values); !step.done && shown < MAX_ITEMS; step = nextValue(values), shown++) {
      parts.push(this.show(step.value, indent));
    }
    more(parts, size - shown);
  }

  #promise(promise, indent) {
    const [state, result] = native.promiseState(promise);
    if (state === 0) return "<pending>";
    return (state === 2 ? "<rejected> " : "") + this.show(result, indent);
  }

  #properties(object, kind, parts, indent) {
    let shown = 0;
    const indexed = kind === "array" || kind === "typed" || kind === "string";
    for (const key of Reflect.ownKeys(object)) {
      if (indexed && typeof key === "string" && isIndex(key)) continue;
      const property = Object.getOwnPropertyDescriptor(object, key);
      const isCause = kind === "error" && (key === "cause" || key === "errors");
      if (property === undefined || (!property.enumerable && !isCause)) continue;
      if (kind === "error" && (key === "stack" || key === "message")) continue;
      if (shown === MAX_ITEMS || this.#left <= 0) {
        parts.push("… more properties");
        return;
      }
      shown++;
      const name = isCause && !property.enumerable ? `[${key}]` : keyText(key);
      parts.push(`${name}: ${this.#property(property, indent)}`);
    }
  }

  #property(property, indent) {
    if ("value" in property) return this.show(property.value, indent);
    if (property.get === undefined) return "[Setter]";
    return property.set === undefined ? "[Getter]" : "[Getter/Setter]";
  }
}

function more(parts, count) {
  if (count > 0) parts.push(`… ${count} more item${count === 1 ? "" : "s"}`);
}

// shapeOf answers { name: as shown before the braces, kind, protos, leaf: the text of what is one word }.
function shapeOf(object) {
  const protos = [];
  let proto = Object.getPrototypeOf(object);
  while (proto !== null && protos.length < MAX_PROTOS && native.proxyTarget(proto) === undefined) {
    protos.push(proto);
    proto = Object.getPrototypeOf(proto);
  }
  let name;
  for (const holder of [object, ...protos]) {
    const constructor = ownData(holder, "constructor");
    if (typeof constructor !== "function" || holder === object) continue;
    name = ownData(constructor, "name");
    if (typeof name === "string" && name !== "") break;
  }
  if (typeof name !== "string" || name === "") name = protos.length === 0 ? "[Object: null prototype]" : "Object";
  let suffix = "";
  for (const holder of [object, ...protos]) {
    const tag = ownData(holder, Symbol.toStringTag);
    if (tag === undefined) continue;
    if (typeof tag === "string" && tag !== "" && tag !== name) suffix = ` [${clip(tag, 100)}]`;
    break;
  }
  const { kind, leaf, name: sized } = kindOf(object, protos, clip(name, 200));
  return { name: sized + suffix, kind, protos, leaf };
}

function kindOf(object, protos, name) {
  if (typeof object === "function") return { name, kind: "function", leaf: functionText(object, name) };
  if (Array.isArray(object)) return { name: name === "Array" ? name : `${name}(${object.length})`, kind: "array" };
  if (ArrayBuffer.isView(object)) {
    const length = typedLength(object);
    return length === undefined ? { name, kind: "object" } : { name: `${name}(${length})`, kind: "typed" };
  }
  for (const { proto, kind, test, leaf, suffix } of builtins) {
    if (!protos.includes(proto)) continue;
    try {
      const brand = test.call(object);
      return { name: suffix ? `${name}(${brand})` : name, kind, leaf: leaf?.(object, brand, name) };
    } catch {
      // An object with such a prototype that is none.
    }
  }
  return { name, kind: "object" };
}

function getter(object, key) {
  return Object.getOwnPropertyDescriptor(object, key).get;
}

const typedGetter = getter(Object.getPrototypeOf(Uint8Array.prototype), "length");
const typedTag = getter(Object.getPrototypeOf(Uint8Array.prototype), Symbol.toStringTag);
const mapSize = getter(Map.prototype, "size");
const setSize = getter(Set.prototype, "size");
const mapEntries = Map.prototype.entries;
const setValues = Set.prototype.values;
const mapNext = Object.getPrototypeOf(new Map().entries()).next;
const setNext = Object.getPrototypeOf(new Set().values()).next;
const nextEntry = (iterator) => mapNext.call(iterator);
const nextValue = (iterator) => setNext.call(iterator);
const bufferLength = getter(ArrayBuffer.prototype, "byteLength");
const regExpSource = getter(RegExp.prototype, "source");
const regExpFlags = [
  ["hasIndices", "d"], ["global", "g"], ["ignoreCase", "i"], ["multiline", "m"], ["dotAll", "s"], ["unicode", "u"],
  ["unicodeSets", "v"], ["sticky", "y"],
].map(([key, flag]) => [getter(RegExp.prototype, key), flag]);

function typedLength(array) {
  return typedTag.call(array) === undefined ? undefined : typedGetter.call(array);
}

// The built-in classes that are looked into: test answers something of a real instance and throws for any other.
const builtins = [
  { proto: Map.prototype, kind: "map", test: mapSize, suffix: true },
  { proto: Set.prototype, kind: "set", test: setSize, suffix: true },
  { proto: Error.prototype, kind: "error", test() {}, leaf: errorText },
  { proto: Promise.prototype, kind: "promise", test: needPromise },
  { proto: Date.prototype, kind: "date", test: Date.prototype.getTime, leaf: (date, time) => dateText(time) },
  { proto: RegExp.prototype, kind: "regexp", test: regExpSource, leaf: regExpText },
  { proto: ArrayBuffer.prototype, kind: "buffer", test: bufferLength },
  { proto: WeakMap.prototype, kind: "weak", test() { WeakMap.prototype.has.call(this, {}); } },
  { proto: WeakSet.prototype, kind: "weak", test() { WeakSet.prototype.has.call(this, {}); } },
  { proto: String.prototype, kind: "string", test: String.prototype.valueOf, leaf: stringText },
  ...[Number, Boolean, BigInt, Symbol].map((Class) => ({
    proto: Class.prototype,
    kind: "boxed",
    test: Class.prototype.valueOf,
    leaf: (object, value) => `[${Class.name}: ${primitive(value)}]`,
  })),
];

function dateText(time) {
  return Number.isNaN(time) ? "Invalid Date" : new Date(time).toISOString();
}

function stringText(_, text) {
  return `[String: ${quote(text)}]`;
}

function needPromise() {
  if (native.promiseState(this) === undefined) throw new TypeError("not a promise");
}

function regExpText(regexp, source) {
  return `/${source}/${regExpFlags.map(([get, flag]) => (get.call(regexp) ? flag : "")).join("")}`;
}

function bufferParts(buffer) {
  const length = bufferLength.call(buffer);
  const shown = new Uint8Array(buffer, 0, Math.min(length, 50));
  const hex = Array.from(shown, (byte) => byte.toString(16).padStart(2, "0")).join(" ");
  const rest = length - shown.length;
  return [`[Uint8Contents]: <${hex}${rest > 0 ? ` … ${rest} more bytes` : ""}>`, `byteLength: ${length}`];
}

// The engine's own getter of stack, where there is one: it runs nothing of the app's, or what the app asked for with
// Error.prepareStackTrace.
const engineStack = Object.getOwnPropertyDescriptor(new Error("probe"), "stack")?.get;

function errorText(error, _, name) {
  const property = Object.getOwnPropertyDescriptor(error, "stack");
  const stack = property === undefined ? undefined
    : "value" in property ? property.value
    : property.get === engineStack && engineStack !== undefined ? engineStack.call(error)
    : undefined;
  if (typeof stack === "string" && stack !== "") return stack;
  const message = ownData(error, "message");
  return typeof message === "string" && message !== "" ? `[${name}: ${message}]` : `[${name}]`;
}

function functionText(fn, className) {
  const name = ownData(fn, "name");
  const text = Function.prototype.toString.call(fn);
  const named = typeof name === "string" && name !== "";
  if (/^class\b/.test(text)) {
    const parent = Object.getPrototypeOf(fn);
    const parentName = typeof parent === "function" ? ownData(parent, "name") : undefined;
    const heritage = typeof parentName === "string" && parentName !== "" ? ` extends ${clip(parentName, 200)}` : "";
    return `[class ${named ? clip(name, 200) : "(anonymous)"}${heritage}]`;
  }
  const kind = className === "Object" ? "Function" : className;
  return named ? `[${kind}: ${clip(name, 200)}]` : `[${kind} (anonymous)]`;
}

// ownData is an own property's value, if it has one that needs no getter.
function ownData(object, key) {
  if (native.proxyTarget(object) !== undefined) return undefined;
  return Object.getOwnPropertyDescriptor(object, key)?.value;
}

function primitive(value) {
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value === "symbol") return clip(value.toString(), MAX_STRING);
  return Object.is(value, -0) ? "-0" : `${value}`;
}

function quote(text) {
  const short = text.length > MAX_STRING ? text.slice(0, MAX_STRING) : text;
  const mark = !short.includes("'") ? "'" : !short.includes('"') ? '"' : !short.includes("`") ? "`" : "'";
  // eslint-disable-next-line no-control-regex
  const escaped = short.replace(/[\\\x00-\x1f\x7f]/g, escapeChar).replaceAll(mark, mark === "'" ? "\\'" : mark);
  const rest = text.length - short.length;
  return `${mark}${escaped}${mark}${rest > 0 ? `… ${rest} more characters` : ""}`;
}

function escapeChar(c) {
  const short = { "\n": "\\n", "\r": "\\r", "\t": "\\t", "\b": "\\b", "\f": "\\f", "\v": "\\v", "\\": "\\\\" }[c];
  return short ?? `\\x${c.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0")}`;
}

function keyText(key) {
  if (typeof key === "symbol") return `[${key.toString()}]`;
  return /^[A-Za-z_$][\w$]*$/.test(key) ? key : quote(key);
}

function isIndex(key) {
  return /^(?:0|[1-9]\d{0,9})$/.test(key);
}

// layout puts parts on one line if they fit, else on one each; items of a long list share lines.
function layout(open, parts, close, indent, isList) {
  if (parts.length === 0) return open + close;
  const length = parts.reduce((sum, part) => sum + part.length + 2, indent);
  const flat = !parts.some((part) => part.includes("\n"));
  if (flat && length <= LINE) return `${open} ${parts.join(", ")} ${close}`;
  const margin = `\n${" ".repeat(indent + 2)}`;
  const lines = isList && flat && parts.length > 6 ? fill(parts, LINE - indent) : parts;
  return `${open}${margin}${lines.join(`,${margin}`)}\n${" ".repeat(indent)}${close}`;
}

function fill(parts, width) {
  const lines = [];
  let line = "";
  for (const part of parts) {
    if (line === "") line = part;
    else if (line.length + 2 + part.length <= width) line += `, ${part}`;
    else {
      lines.push(line);
      line = part;
    }
  }
  lines.push(line);
  return lines;
}
