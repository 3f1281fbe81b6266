// Request of the Fetch standard. What arrived from a client is kept as it came until somebody asks for more of it.
import { AbortSignal, abortSignal, createSignal, dependentSignal } from "../lib/abort.js";
import { DOMException } from "../lib/domexception.js";
import { dictionary, needArguments, shape } from "../lib/idl.js";
import { plainHref } from "../lib/url/scan.js";
import { URL } from "../lib/url/url.js";
import { Body, RemoteBody, extractBody, mixinBody } from "./body.js";
import { HeaderList, Headers, byteString } from "./headers.js";
import { CANCEL_BODY, READ_BODY } from "./ops.js";

// RequestState is what a Request is about, for those parts of the core that must see it.
export class RequestState {
  #url;
  #urlChecked;
  #list;
  #text; // headers as they came, until list is asked for
  #headers; // the Headers object
  #signal;

  // text or list: the headers, whichever there is. record: of the client's request that this is, if it is one.
  constructor(method, url, urlChecked, text, list, body, record) {
    this.method = method;
    this.#url = url;
    this.#urlChecked = urlChecked;
    this.#text = text;
    this.#list = list;
    this.body = body;
    this.record = record;
    this.followed = undefined; // the signal, or the state of the request, that this one's signal follows
    this.options = DEFAULTS;
    this.#headers = undefined;
    this.#signal = undefined;
  }

  get url() {
    if (!this.#urlChecked) {
      this.#url = canonicalURL(this.#url);
      this.#urlChecked = true;
    }
    return this.#url;
  }

  get list() {
    if (this.#list === undefined) {
      this.#list = new HeaderList(undefined, this.#text);
      this.#list.immutable = true;
    }
    return this.#list;
  }

  get headers() {
    if (this.#headers === undefined) this.#headers = new Headers(this.list);
    return this.#headers;
  }

  get signal() {
    if (this.#signal === undefined) this.#signal = this.#makeSignal();
    return this.#signal;
  }

  #makeSignal() {
    const { record } = this;
    const followed = record === undefined ? this.abortedBy : undefined;
    if (followed !== undefined) return dependentSignal([followed]);
    const signal = createSignal();
    if (record !== undefined) {
      if (record.aborted !== undefined) abortSignal(signal, record.aborted);
      else record.signal = signal;
    }
    return signal;
  }

  // abortedBy is the signal that a fetch of this request must watch; undefined where nothing can abort it.
  get abortedBy() {
    if (this.#signal !== undefined || this.record !== undefined) return this.signal;
    const { followed } = this;
    return followed instanceof RequestState ? followed.abortedBy : followed;
  }

  clone() {
    if (this.body?.unusable) throw new TypeError("Request.clone: the body was read before, or is being read");
    const list = this.list.copy();
    list.immutable = this.list.immutable;
    const copy = new RequestState(this.method, this.url, true, undefined, list, this.body?.clone() ?? null, undefined);
    copy.options = this.options;
    copy.followed = this;
    return copy;
  }
}

// incomingRequest makes the Request of a client's request. body: undefined, bytes, or a number where it is to be read.
export function incomingRequest(record, method, url, text, body) {
  let wrapped = null;
  if (body !== undefined) {
    wrapped = new Body(typeof body === "number" ? new RemoteBody(READ_BODY, CANCEL_BODY, record.id) : body, null);
  }
  const state = new RequestState(method, url, false, text, undefined, wrapped, record);
  state.options = INCOMING;
  return fromState(state);
}

// abortIncoming tells whoever listens that the client has gone.
export function abortIncoming(record, message) {
  record.aborted = new DOMException(message, "AbortError");
  if (record.signal !== undefined) abortSignal(record.signal, record.aborted);
}

// canonicalURL is url as the URL standard writes it. What it can't parse, which the front end has let through, stays.
function canonicalURL(url) {
  const plain = plainHref(url);
  if (plain !== undefined) return plain;
  const parsed = URL.parse(url);
  return parsed === null ? url : parsed.href;
}

const DEFAULTS = Object.freeze({
  redirect: "follow",
  mode: "cors",
  credentials: "same-origin",
  cache: "default",
  referrer: "about:client",
  referrerPolicy: "",
  integrity: "",
  keepalive: false,
});

// Who passes a client's request on wants the redirects to reach the client, as in Workers.
const INCOMING = Object.freeze({ ...DEFAULTS, redirect: "manual" });

const CHOICES = {
  redirect: ["follow", "error", "manual"],
  mode: ["cors", "no-cors", "same-origin"],
  credentials: ["omit", "same-origin", "include"],
  cache: ["default", "no-store", "reload", "no-cache", "force-cache", "only-if-cached"],
  referrerPolicy: [
    "", "no-referrer", "no-referrer-when-downgrade", "same-origin", "origin", "strict-origin",
    "origin-when-cross-origin", "strict-origin-when-cross-origin", "unsafe-url",
  ],
  priority: ["high", "low", "auto"],
  duplex: ["half"],
};

function choice(init, key) {
  const value = init[key];
  if (value === undefined) return undefined;
  const text = `${value}`;
  if (!CHOICES[key].includes(text)) {
    throw new TypeError(`Request: ${JSON.stringify(text)} is no ${key}; it is one of ${CHOICES[key].join(", ")}`);
  }
  return text;
}

function readOptions(init, base) {
  const options = {
    redirect: choice(init, "redirect") ?? base.redirect,
    mode: choice(init, "mode") ?? base.mode,
    credentials: choice(init, "credentials") ?? base.credentials,
    cache: choice(init, "cache") ?? base.cache,
    referrer: base.referrer,
    referrerPolicy: choice(init, "referrerPolicy") ?? base.referrerPolicy,
    integrity: init.integrity === undefined ? base.integrity : `${init.integrity}`,
    keepalive: init.keepalive === undefined ? base.keepalive : !!init.keepalive,
  };
  const { referrer } = init;
  if (referrer !== undefined) {
    const text = `${referrer}`;
    options.referrer = text === "" ? "no-referrer" : text === "about:client" ? text : new URL(text).href;
  }
  choice(init, "priority");
  choice(init, "duplex");
  if (init.window !== undefined && init.window !== null) throw new TypeError("Request: window can only be null");
  if (options.cache === "only-if-cached" && options.mode !== "same-origin") {
    throw new TypeError('Request: cache "only-if-cached" needs mode "same-origin"');
  }
  return options;
}

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const NORMALIZED = /^(?:delete|get|head|options|post|put)$/i;
const FORBIDDEN = /^(?:connect|trace|track)$/i;

function readMethod(value) {
  const method = byteString(value, "the method");
  if (!TOKEN.test(method)) throw new TypeError(`${JSON.stringify(method)} is not a valid method`);
  if (FORBIDDEN.test(method)) throw new TypeError(`the method ${method} is not allowed`);
  return NORMALIZED.test(method) ? method.toUpperCase() : method;
}

export function parseTarget(input) {
  let url;
  try {
    url = new URL(input);
  } catch {
    throw new TypeError(`Invalid URL: ${JSON.stringify(`${input}`)}`);
  }
  if (url.username !== "" || url.password !== "") throw new TypeError("Request: the URL has a user name or password");
  return url.href;
}

// makeState is the constructor's work: input is a URL or a Request, init a RequestInit.
export function makeState(input, init) {
  const base = isRequest(input) ? requestState(input) : undefined;
  const url = base === undefined ? parseTarget(input) : base.url;
  init = dictionary(init, "Request");
  const options = readOptions(init, base === undefined ? DEFAULTS : base.options);
  const method = init.method === undefined ? (base?.method ?? "GET") : readMethod(init.method);
  const followed = readSignal(init, base);
  const list = new HeaderList([], undefined);
  if (init.headers !== undefined) list.fill(init.headers);
  else if (base !== undefined) list.addAll(base.list);
  const body = readBody(init, base, method, list);
  const state = new RequestState(method, url, true, undefined, list, body, undefined);
  state.options = options;
  state.followed = followed;
  return state;
}

function readSignal(init, base) {
  const { signal } = init;
  if (signal === undefined) return base;
  if (signal === null) return undefined;
  if (!(signal instanceof AbortSignal)) throw new TypeError("Request: the signal is not an AbortSignal");
  return signal;
}

function readBody(init, base, method, list) {
  // A Request that serves as init shares its body, stream and all.
  const given = isRequest(init) ? requestState(init).body : init.body;
  const own = given !== undefined && given !== null;
  if ((own || (base !== undefined && base.body !== null)) && (method === "GET" || method === "HEAD")) {
    throw new TypeError(`Request: a ${method} request can't have a body`);
  }
  if (!own) return moveBody(base);
  const body = given instanceof Body ? given : extractBody(given);
  if (body.unusable) throw new TypeError("Request: the body was read before, or is being read");
  if (body.type !== null && !list.has("content-type")) list.append("content-type", body.type);
  return body;
}

function moveBody(base) {
  if (base === undefined || base.body === null) return null;
  if (base.body.unusable) throw new TypeError("Request: the body was read before, or is being read");
  return base.body.move();
}

export let isRequest;
export let requestState;

export class Request {
  #state;

  static {
    isRequest = (value) => typeof value === "object" && value !== null && #state in value;
    requestState = (request) => request.#state;
  }

  constructor(input, init = undefined) {
    if (input instanceof RequestState) {
      this.#state = input;
      return;
    }
    needArguments(arguments, 1, "Request", "constructor");
    this.#state = makeState(input, init);
  }

  get method() { return this.#state.method; }
  get url() { return this.#state.url; }
  get headers() { return this.#state.headers; }
  get signal() { return this.#state.signal; }
  get destination() { return this.#state && ""; }
  get referrer() {
    const { referrer } = this.#state.options;
    return referrer === "no-referrer" ? "" : referrer;
  }
  get referrerPolicy() { return this.#state.options.referrerPolicy; }
  get mode() { return this.#state.options.mode; }
  get credentials() { return this.#state.options.credentials; }
  get cache() { return this.#state.options.cache; }
  get redirect() { return this.#state.options.redirect; }
  get integrity() { return this.#state.options.integrity; }
  get keepalive() { return this.#state.options.keepalive; }
  get isReloadNavigation() { return this.#state && false; }
  get isHistoryNavigation() { return this.#state && false; }
  get duplex() { return this.#state && "half"; }

  clone() {
    return fromState(this.#state.clone());
  }
}

// Outside of the class: one that names itself is renamed by the bundler.
function fromState(state) {
  return new Request(state);
}

mixinBody(Request, requestState);
shape(Request);
