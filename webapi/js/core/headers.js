// Headers of the Fetch standard. A list that came from Go stays one flat string until somebody looks into it.
import { isObject, iterable, needArguments, shape } from "../lib/idl.js";
import { trim } from "./mime.js";

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const CLEAN_VALUE = /^(?:[\x21-\x7e\x80-\xff](?:[\t\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?)?$/;
const FORBIDDEN_IN_VALUE = /[\0\r\n]/;

// Header names as apps write them → lower case: a name is checked once. Bounded, as apps may make names up.
const knownNames = new Map();
const MAX_KNOWN_NAMES = 1024;
const MAX_KNOWN_LENGTH = 64;

// byteString refuses what doesn't fit into one byte a code unit. A symbol makes the template throw.
export function byteString(value, what) {
  const s = `${value}`;
  for (let i = 0; i < s.length; i++) {
    if (s.charCodeAt(i) > 0xff) {
      throw new TypeError(`${what} has the character ${JSON.stringify(s[i])} at ${i}, which is past U+00FF`);
    }
  }
  return s;
}

// ownText is a copy. V8 keeps a part of a string together with the whole, here all of a request's headers.
const { parse, stringify } = JSON;
export function ownText(s) {
  return parse(stringify(s));
}

export function headerName(name) {
  const known = knownNames.get(name);
  if (known !== undefined) return known;
  const s = byteString(name, "a header's name");
  if (!TOKEN.test(s)) throw new TypeError(`${JSON.stringify(s)} is not a valid header name`);
  const lower = s.toLowerCase();
  if (knownNames.size < MAX_KNOWN_NAMES && s.length <= MAX_KNOWN_LENGTH) knownNames.set(ownText(s), ownText(lower));
  return lower;
}

export function headerValue(value, name) {
  let s = `${value}`;
  if (CLEAN_VALUE.test(s)) return s;
  s = trim(byteString(s, `the value of the header ${name}`));
  if (FORBIDDEN_IN_VALUE.test(s)) {
    throw new TypeError(`${JSON.stringify(s)} is not a valid value of the header ${name}`);
  }
  return s;
}

// HeaderList is the header list behind a Headers object: flat, [name, value, name, value, …], names in lower case.
export class HeaderList {
  #pairs; // undefined while there is only text
  #text; // "name\nvalue\n…", undefined once the list was changed
  #sorted; // what iteration shows, made when asked for

  constructor(pairs, text) {
    this.#pairs = pairs;
    this.#text = text;
    this.#sorted = undefined;
    this.immutable = false;
  }

  copy() {
    return new HeaderList(this.#pairs?.slice(), this.#text);
  }

  get pairs() {
    if (this.#pairs === undefined) {
      this.#pairs = this.#text.split("\n");
      this.#pairs.pop();
    }
    return this.#pairs;
  }

  // The form in which headers cross to Go.
  get text() {
    if (this.#text === undefined) this.#text = this.#pairs.length === 0 ? "" : this.#pairs.join("\n") + "\n";
    return this.#text;
  }

  textWithout(name) {
    if (!this.has(name)) return this.text;
    const copy = this.copy();
    copy.delete(name);
    return copy.text;
  }

  #changing() {
    if (this.immutable) {
      throw new TypeError("cannot change these headers: they are immutable; copy them with new Headers(…)");
    }
    const pairs = this.pairs;
    this.#text = undefined;
    this.#sorted = undefined;
    return pairs;
  }

  // name: in lower case, as for all that follow.
  get(name) {
    const pairs = this.pairs;
    let found = null;
    for (let i = 0; i < pairs.length; i += 2) {
      if (pairs[i] === name) found = found === null ? pairs[i + 1] : `${found}, ${pairs[i + 1]}`;
    }
    return found;
  }

  has(name) {
    const pairs = this.pairs;
    for (let i = 0; i < pairs.length; i += 2) {
      if (pairs[i] === name) return true;
    }
    return false;
  }

  all(name) {
    const pairs = this.pairs;
    const values = [];
    for (let i = 0; i < pairs.length; i += 2) {
      if (pairs[i] === name) values.push(pairs[i + 1]);
    }
    return values;
  }

  append(name, value) {
    this.#changing().push(name, value);
  }

  set(name, value) {
    const pairs = this.#changing();
    let kept = 0;
    let found = false;
    for (let i = 0; i < pairs.length; i += 2) {
      if (pairs[i] === name) {
        if (found) continue;
        found = true;
        pairs[i + 1] = value;
      }
      pairs[kept++] = pairs[i];
      pairs[kept++] = pairs[i + 1];
    }
    pairs.length = kept;
    if (!found) pairs.push(name, value);
  }

  delete(name) {
    const pairs = this.#changing();
    let kept = 0;
    for (let i = 0; i < pairs.length; i += 2) {
      if (pairs[i] === name) continue;
      pairs[kept++] = pairs[i];
      pairs[kept++] = pairs[i + 1];
    }
    pairs.length = kept;
  }

  addAll(other) {
    this.#changing().push(...other.pairs);
  }

  // fill appends what a HeadersInit names.
  fill(init) {
    if (!isObject(init)) {
      throw new TypeError("headers must be a Headers object, a sequence of pairs or an object of names and values");
    }
    const iterate = init[Symbol.iterator];
    if (isHeaders(init) && iterate === Headers.prototype[Symbol.iterator]) {
      this.addAll(headerListOf(init));
      return;
    }
    if (iterate !== undefined && iterate !== null) return this.#fillFromPairs(init);
    // Object.keys leaves out symbols, for which the standard wants an exception: Reflect.ownKeys takes twenty times
    // as long.
    for (const key of Object.keys(init)) {
      const name = headerName(key);
      this.#changing().push(name, headerValue(init[key], name));
    }
  }

  #fillFromPairs(init) {
    for (const pair of init) {
      if (!isObject(pair) || typeof pair[Symbol.iterator] !== "function") {
        throw new TypeError("headers: each item of the sequence must be a pair of name and value");
      }
      const items = [...pair];
      const [name, value] = items;
      if (items.length !== 2) {
        throw new TypeError("headers: each item of the sequence must be a pair of name and value");
      }
      const lower = headerName(name);
      this.#changing().push(lower, headerValue(value, lower));
    }
  }

  // sorted is what iteration shows: by name, repeated ones combined, but for set-cookie.
  get sorted() {
    if (this.#sorted !== undefined) return this.#sorted;
    const pairs = this.pairs;
    const combined = new Map();
    const cookies = [];
    for (let i = 0; i < pairs.length; i += 2) {
      const name = pairs[i];
      const value = pairs[i + 1];
      if (name === "set-cookie") cookies.push([name, value]);
      else combined.set(name, combined.has(name) ? `${combined.get(name)}, ${value}` : value);
    }
    const sorted = [...combined, ...cookies]; // sort() is stable: cookies keep their order
    sorted.sort((a, b) => (a[0] < b[0] ? -1 : a[0] > b[0] ? 1 : 0));
    this.#sorted = sorted;
    return sorted;
  }
}

export let isHeaders;
export let headerListOf;

export class Headers {
  #list;

  static {
    isHeaders = (value) => typeof value === "object" && value !== null && #list in value;
    headerListOf = (headers) => headers.#list;
  }

  constructor(init = undefined) {
    if (init instanceof HeaderList) {
      this.#list = init;
      return;
    }
    this.#list = new HeaderList([], undefined);
    if (init !== undefined) this.#list.fill(init);
  }

  append(name, value) {
    needArguments(arguments, 2, "Headers", "append");
    const lower = headerName(name);
    this.#list.append(lower, headerValue(value, lower));
  }

  delete(name) {
    needArguments(arguments, 1, "Headers", "delete");
    this.#list.delete(headerName(name));
  }

  get(name) {
    needArguments(arguments, 1, "Headers", "get");
    return this.#list.get(headerName(name));
  }

  getSetCookie() {
    return this.#list.all("set-cookie");
  }

  has(name) {
    needArguments(arguments, 1, "Headers", "has");
    return this.#list.has(headerName(name));
  }

  set(name, value) {
    needArguments(arguments, 2, "Headers", "set");
    const lower = headerName(name);
    this.#list.set(lower, headerValue(value, lower));
  }
}

iterable(Headers, "Headers", (headers, index) => headerListOf(headers).sorted[index]);
shape(Headers);
