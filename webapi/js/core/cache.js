// caches: the Cache API as Workers have it, match, put and delete, in the memory of the isolate. What it holds is
// bounded and goes with the isolate; the other isolates of an app don't see it.
import { isObject, needArguments, shape } from "../lib/idl.js";
import { native } from "../native.js";
import { Body, readAll } from "./body.js";
import { HeaderList, ownText } from "./headers.js";
import { isRequest, makeState, requestState } from "./request.js";
import { Response, ResponseState, isResponse, responseState } from "./response.js";

const MAX_TOTAL = 8 << 20; // bytes of all that is held
const MAX_ENTRY = 2 << 20; // bytes of one response
const OVERHEAD = 512; // bytes that an entry counts for beside its text

// How long a response without a word about it is held, in seconds, by its status; others are not.
const LIFETIMES = { 200: 7200, 301: 7200, 302: 1200, 303: 1200, 404: 180, 410: 180 };

const entries = new Map(); // key → entry, the one used longest ago first
let total = 0;

function find(key) {
  const entry = entries.get(key);
  if (entry === undefined) return undefined;
  entries.delete(key);
  if (entry.expires <= Date.now()) {
    total -= entry.size;
    return undefined;
  }
  entries.set(key, entry);
  return entry;
}

function remove(key) {
  const entry = entries.get(key);
  if (entry === undefined) return false;
  total -= entry.size;
  return entries.delete(key);
}

function add(key, entry) {
  remove(key);
  entries.set(key, entry);
  total += entry.size;
  for (const oldest of entries.keys()) {
    if (total <= MAX_TOTAL) break;
    remove(oldest);
  }
}

// lifetime is for how many seconds a response may be held, by its own headers; 0: not at all.
function lifetime({ status, list }) {
  if (list.has("set-cookie")) return 0;
  const directives = new Map();
  for (const part of (list.get("cache-control") ?? "").toLowerCase().split(",")) {
    const [name, value = ""] = part.split("=");
    directives.set(name.trim(), value.trim().replaceAll('"', ""));
  }
  if (directives.has("no-store") || directives.has("no-cache") || directives.has("private")) return 0;
  const age = directives.get("s-maxage") ?? directives.get("max-age");
  if (age !== undefined) return /^\d+$/.test(age) ? Math.max(0, Math.min(Number(age), 2 ** 31) - ageOf(list)) : 0;
  const expires = list.get("expires");
  if (expires !== null) return Math.max(0, (Date.parse(expires) - Date.now()) / 1000) || 0;
  return LIFETIMES[status] ?? 0;
}

// ageOf is how many seconds old a response was when it came (RFC 9111, 4.2.3).
function ageOf(list) {
  const age = list.get("age") ?? "";
  const date = Date.parse(list.get("date") ?? "");
  return Math.min(Math.max(/^\d+$/.test(age) ? Number(age) : 0, (Date.now() - date) / 1000 || 0), 2 ** 31);
}

// varying is the request's values of the headers that the response was chosen by; undefined where that can't be known.
function varying(request, response) {
  const names = (response.list.get("vary") ?? "").toLowerCase().split(",").map((name) => name.trim());
  if (names.includes("*")) return undefined;
  return names.filter((name) => name !== "").map((name) => {
    const value = request.list.get(name);
    return [name, value === null ? null : ownText(value)];
  });
}

function readRequest(input) {
  return isRequest(input) ? requestState(input) : makeState(input, undefined);
}

function withoutFragment(url) {
  const hash = url.indexOf("#");
  return hash < 0 ? url : url.slice(0, hash);
}

const secret = Symbol("Cache");

export class Cache {
  #name;

  constructor(key, name) {
    if (key !== secret) throw new TypeError("Illegal constructor");
    this.#name = name;
  }

  async match(request, options = undefined) {
    needArguments(arguments, 1, "Cache", "match");
    const state = readRequest(request);
    const entry = this.#usable(state, options) ? find(this.#key(state)) : undefined;
    if (entry === undefined || entry.varying.some(([name, value]) => state.list.get(name) !== value)) return undefined;
    const list = new HeaderList(entry.pairs.slice(), undefined);
    list.set("age", `${Math.floor(entry.age + (Date.now() - entry.stored) / 1000)}`);
    list.immutable = true;
    let body = null;
    if (entry.bytes !== null) {
      body = new Body(entry.bytes, null);
      body.shared = true;
    }
    const answer = new ResponseState(body, entry.status, entry.statusText, list);
    answer.url = entry.url;
    return new Response(answer);
  }

  async put(request, response) {
    needArguments(arguments, 2, "Cache", "put");
    const asked = readRequest(request);
    if (!isResponse(response)) throw new TypeError("Cache.put: the second argument is not a Response");
    const state = responseState(response);
    const { body, status, statusText, url, list } = state;
    const chosenBy = varying(asked, state);
    if (asked.method !== "GET") throw new TypeError(`Cache.put: a response to ${asked.method} can't be stored`);
    if (!/^https?:/.test(asked.url)) throw new TypeError(`Cache.put: ${asked.url} is neither an http nor an https URL`);
    if (status === 206) throw new TypeError("Cache.put: a part of a response can't be stored");
    if (chosenBy === undefined) throw new TypeError('Cache.put: a response with "Vary: *" can\'t be stored');
    if (body?.unusable) throw new TypeError("Cache.put: the body was read before, or is being read");
    const seconds = lifetime(state);
    if (seconds === 0) {
      body?.cancel();
      return;
    }
    const pairs = list.pairs.slice();
    const bytes = body === null ? null : await wholeBody(body);
    if (bytes === undefined) return; // too large
    const size = OVERHEAD + asked.url.length + list.text.length + statusText.length +
      chosenBy.reduce((sum, [name, value]) => sum + name.length + (value?.length ?? 0), 0) + (bytes === null ? 0 : bytes.byteLength);
    const stored = Date.now();
    add(this.#key(asked), {
      status, statusText, url, pairs, bytes, size, stored, age: ageOf(list), varying: chosenBy, expires: stored + seconds * 1000,
    });
  }

  async delete(request, options = undefined) {
    needArguments(arguments, 1, "Cache", "delete");
    const state = readRequest(request);
    return this.#usable(state, options) && remove(this.#key(state));
  }

  #key(state) {
    return `${this.#name}\n${withoutFragment(state.url)}`;
  }

  #usable(state, options) {
    return state.method === "GET" || (isObject(options) && !!options.ignoreMethod);
  }
}

// wholeBody is the body's bytes, which nobody else can change; undefined where there are too many.
async function wholeBody(body) {
  const source = body.take();
  if (typeof source === "string") {
    return native.utf8Length(source) > MAX_ENTRY ? undefined : native.utf8Encode(source);
  }
  if (source instanceof Uint8Array) return source.byteLength > MAX_ENTRY ? undefined : source.slice();
  return readAll(source, MAX_ENTRY);
}

export class CacheStorage {
  #default = new Cache(secret, "");

  constructor(key) {
    if (key !== secret) throw new TypeError("Illegal constructor");
  }

  get default() { return this.#default; }

  async open(name) {
    needArguments(arguments, 1, "CacheStorage", "open");
    this.#default;
    return new Cache(secret, `${name}`.replaceAll("\n", "\\n") || " ");
  }
}

shape(Cache);
shape(CacheStorage);

export const caches = new CacheStorage(secret);
