// Response of the Fetch standard.
import { dictionary, needArguments, shape } from "../lib/idl.js";
import { URL } from "../lib/url/url.js";
import { extractBody, mixinBody } from "./body.js";
import { HeaderList, Headers, byteString } from "./headers.js";

const TEXT_TYPE = "text/plain;charset=UTF-8";
const TEXT_HEADERS = `content-type\n${TEXT_TYPE}\n`;

// ResponseState is what a Response is about, for those parts of the core that must see it.
export class ResponseState {
  #list; // undefined while the body's type is all there is
  #headers;

  constructor(body, status, statusText, list) {
    this.body = body;
    this.status = status;
    this.statusText = statusText;
    this.type = "default";
    this.url = "";
    this.redirected = false;
    this.#list = list;
    this.#headers = undefined;
  }

  get list() {
    if (this.#list === undefined) {
      const type = this.body === null ? null : this.body.type;
      this.#list = new HeaderList(type === null ? [] : ["content-type", type], undefined);
    }
    return this.#list;
  }

  // headerText is the headers in the form in which they cross to Go.
  get headerText() {
    if (this.#list === undefined && this.body !== null && this.body.type === TEXT_TYPE) return TEXT_HEADERS;
    return this.list.text;
  }

  get headers() {
    if (this.#headers === undefined) this.#headers = new Headers(this.list);
    return this.#headers;
  }

  clone() {
    if (this.body?.unusable) throw new TypeError("Response.clone: the body was read before, or is being read");
    const list = this.list.copy();
    list.immutable = this.list.immutable;
    const copy = new ResponseState(this.body === null ? null : this.body.clone(), this.status, this.statusText, list);
    copy.type = this.type;
    copy.url = this.url;
    copy.redirected = this.redirected;
    return copy;
  }
}

const REASON = /^[\t\x20-\x7e\x80-\xff]*$/;

function isNullBodyStatus(status) {
  return status === 204 || status === 304 || status === 205 || status === 101 || status === 103;
}

// makeState is the constructor's work. type: what the body implies, where it isn't what its class says.
function makeState(body, init, type) {
  let status = 200;
  let statusText = "";
  let list;
  if (init !== undefined && init !== null) {
    init = dictionary(init, "Response");
    const { headers } = init;
    if (init.status !== undefined) {
      status = init.status & 0xffff;
      if (status < 200 || status > 599) {
        throw new RangeError(`Response: the status ${init.status} is not from 200 to 599`);
      }
    }
    if (init.statusText !== undefined) {
      statusText = byteString(init.statusText, "the status text");
      if (!REASON.test(statusText)) throw new TypeError("Response: the status text has characters that can't be sent");
    }
    if (headers !== undefined) {
      list = new HeaderList([], undefined);
      list.fill(headers);
    }
  }
  if (body === undefined || body === null) return new ResponseState(null, status, statusText, list);
  if (isNullBodyStatus(status)) throw new TypeError(`Response: one with status ${status} can't have a body`);
  const extracted = extractBody(body);
  if (type !== undefined) extracted.type = type;
  if (list !== undefined && extracted.type !== null && !list.has("content-type")) {
    list.append("content-type", extracted.type);
  }
  return new ResponseState(extracted, status, statusText, list);
}

export let isResponse;
export let responseState;

export class Response {
  #state;

  static {
    isResponse = (value) => typeof value === "object" && value !== null && #state in value;
    responseState = (response) => response.#state;
  }

  constructor(body = null, init = undefined) {
    this.#state = body instanceof ResponseState ? body : makeState(body, init);
  }

  static error() {
    const state = new ResponseState(null, 0, "", new HeaderList([], undefined));
    state.list.immutable = true;
    state.type = "error";
    return fromState(state);
  }

  static json(data, init = undefined) {
    needArguments(arguments, 1, "Response", "json");
    const text = JSON.stringify(data);
    if (text === undefined) throw new TypeError("Response.json: the value has no JSON form");
    return fromState(makeState(text, init, "application/json"));
  }

  static redirect(url, status = 302) {
    needArguments(arguments, 1, "Response", "redirect");
    let target;
    try {
      target = new URL(url).href;
    } catch {
      throw new TypeError(`Response.redirect: invalid URL ${JSON.stringify(`${url}`)}`);
    }
    const code = status & 0xffff;
    if (code !== 301 && code !== 302 && code !== 303 && code !== 307 && code !== 308) {
      throw new RangeError(`Response.redirect: ${status} is no redirect's status`);
    }
    const list = new HeaderList(["location", target], undefined);
    list.immutable = true;
    return fromState(new ResponseState(null, code, "", list));
  }

  get type() { return this.#state.type; }
  get url() { return this.#state.url; }
  get redirected() { return this.#state.redirected; }
  get status() { return this.#state.status; }
  get ok() { return this.#state.status >= 200 && this.#state.status <= 299; }
  get statusText() { return this.#state.statusText; }
  get headers() { return this.#state.headers; }

  clone() {
    return fromState(this.#state.clone());
  }
}

// Outside of the class: one that names itself is renamed by the bundler.
function fromState(state) {
  return new Response(state);
}

mixinBody(Response, responseState);
shape(Response);
