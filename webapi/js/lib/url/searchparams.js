import { isObject, iterable, needArguments, shape, usv } from "../idl.js";
import { parseForm, serializeForm } from "./form.js";

// What URL does with its searchParams.
export let createParams; // (url, query, changed): changed(url, query) is told when the parameters change
export let resetParams; // (params, query): the URL's query is another one now

export class URLSearchParams {
  #pairs;
  #source; // what #pairs will be parsed from, where it hasn't been yet
  #url;
  #changed;

  constructor(init = "") {
    if (isObject(init)) {
      const iterator = init[Symbol.iterator];
      if (iterator !== undefined && iterator !== null) this.#pairs = fromSequence(init, iterator);
      else this.#pairs = fromRecord(init);
      return;
    }
    const string = usv(init);
    this.#source = string.startsWith("?") ? string.slice(1) : string;
  }

  get size() { return this.#list().length; }

  append(name, value) {
    needArguments(arguments, 2, "URLSearchParams", "append");
    this.#list().push([usv(name), usv(value)]);
    this.#update();
  }

  delete(name, value = undefined) {
    needArguments(arguments, 1, "URLSearchParams", "delete");
    const match = matcher(name, value);
    this.#pairs = this.#list().filter((pair) => !match(pair));
    this.#update();
  }

  get(name) {
    needArguments(arguments, 1, "URLSearchParams", "get");
    name = usv(name);
    for (const pair of this.#list()) if (pair[0] === name) return pair[1];
    return null;
  }

  getAll(name) {
    needArguments(arguments, 1, "URLSearchParams", "getAll");
    name = usv(name);
    const values = [];
    for (const pair of this.#list()) if (pair[0] === name) values.push(pair[1]);
    return values;
  }

  has(name, value = undefined) {
    needArguments(arguments, 1, "URLSearchParams", "has");
    return this.#list().some(matcher(name, value));
  }

  set(name, value) {
    needArguments(arguments, 2, "URLSearchParams", "set");
    name = usv(name);
    value = usv(value);
    let found = false;
    this.#pairs = this.#list().filter((pair) => {
      if (pair[0] !== name) return true;
      if (found) return false;
      found = true;
      pair[1] = value;
      return true;
    });
    if (!found) this.#pairs.push([name, value]);
    this.#update();
  }

  sort() {
    // By code units, which is how JavaScript compares strings.
    this.#list().sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
    this.#update();
  }

  toString() { return serializeForm(this.#list()); }

  #list() {
    if (this.#pairs === undefined) {
      this.#pairs = parseForm(this.#source);
      this.#source = undefined;
    }
    return this.#pairs;
  }

  #update() {
    if (this.#url !== undefined) this.#changed(this.#url, serializeForm(this.#pairs));
  }

  static {
    createParams = (url, query, changed) => {
      const params = new URLSearchParams();
      params.#source = query;
      params.#url = url;
      params.#changed = changed;
      return params;
    };
    resetParams = (params, query) => {
      params.#pairs = undefined;
      params.#source = query;
    };
    iterable(URLSearchParams, "URLSearchParams", (params, index) => params.#list()[index]);
  }
}

function matcher(name, value) {
  name = usv(name);
  if (value === undefined) return (pair) => pair[0] === name;
  value = usv(value);
  return (pair) => pair[0] === name && pair[1] === value;
}

function fromSequence(init, iterator) {
  if (typeof iterator !== "function") throw new TypeError("URLSearchParams: the argument is not iterable");
  const pairs = [];
  for (const pair of init) {
    if (!isObject(pair) || typeof pair[Symbol.iterator] !== "function") {
      throw new TypeError("URLSearchParams: each pair must be iterable");
    }
    const items = [];
    for (const item of pair) items.push(usv(item));
    if (items.length !== 2) throw new TypeError("URLSearchParams: each pair must be a name and a value");
    pairs.push(items);
  }
  return pairs;
}

function fromRecord(init) {
  const pairs = new Map(); // two keys may be the same without their lone surrogates
  for (const key of Reflect.ownKeys(init)) {
    const property = Reflect.getOwnPropertyDescriptor(init, key);
    if (property === undefined || !property.enumerable) continue;
    pairs.set(usv(key), usv(init[key]));
  }
  return [...pairs];
}

shape(URLSearchParams);
