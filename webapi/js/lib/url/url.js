import { needArguments, shape, usv } from "../idl.js";
import { hostStart, isPlainHash, isPlainPath, isPlainSearch, join, plainHref } from "./scan.js";
import { createParams, resetParams } from "./searchparams.js";

// parser is whatwg-url's state machine, evaluated when the first URL needs it.
const parser = () => require("whatwg-url/lib/url-state-machine.js");

const secret = Symbol("URL");

let setQuery; // (url, query): its searchParams have changed
let resolve; // (input, base): the href of a plain URL that input makes with a plain base

// A URL is either plain (see scan.js): its text and where the parts of it start; or it has a record, the parser's.
export class URL {
  #href = "";
  #path = 0;
  #query = 0;
  #hash = 0;
  #record;
  #params;

  constructor(url, base = undefined) {
    if (url === secret) return;
    needArguments(arguments, 1, "URL", "constructor");
    const input = usv(url);
    if (base !== undefined) base = usv(base);
    if (!this.#parse(input, base)) {
      throw new TypeError(`Invalid URL: ${input}${base === undefined ? "" : ` with base ${base}`}`);
    }
  }

  static parse(url, base = undefined) {
    needArguments(arguments, 1, "URL", "parse");
    const parsed = new URL(secret);
    return parsed.#parse(usv(url), base === undefined ? undefined : usv(base)) ? parsed : null;
  }

  static canParse(url, base = undefined) {
    needArguments(arguments, 1, "URL", "canParse");
    return new URL(secret).#parse(usv(url), base === undefined ? undefined : usv(base));
  }

  get href() { return this.#record === undefined ? this.#href : parser().serializeURL(this.#record); }
  set href(value) {
    value = usv(value);
    if (!this.#parse(value, undefined)) throw new TypeError(`Invalid URL: ${value}`);
    this.#reset();
  }

  get origin() {
    if (this.#record === undefined) return this.#href.slice(0, this.#path);
    return parser().serializeURLOrigin(this.#record);
  }

  get protocol() {
    if (this.#record === undefined) return this.#href.charCodeAt(4) === 0x3a ? "http:" : "https:";
    return `${this.#record.scheme}:`;
  }
  set protocol(value) { this.#change(`${usv(value)}:`, "scheme start"); }

  get username() { return this.#record === undefined ? "" : this.#record.username; }
  set username(value) {
    value = usv(value);
    const record = this.#open();
    if (!parser().cannotHaveAUsernamePasswordPort(record)) parser().setTheUsername(record, value);
    this.#close(record);
  }

  get password() { return this.#record === undefined ? "" : this.#record.password; }
  set password(value) {
    value = usv(value);
    const record = this.#open();
    if (!parser().cannotHaveAUsernamePasswordPort(record)) parser().setThePassword(record, value);
    this.#close(record);
  }

  get host() {
    const record = this.#record;
    if (record === undefined) return this.#href.slice(hostStart(this.#href), this.#path);
    if (record.host === null) return "";
    const host = parser().serializeHost(record.host);
    return record.port === null ? host : `${host}:${record.port}`;
  }
  set host(value) {
    value = usv(value);
    if (this.#record === undefined || !parser().hasAnOpaquePath(this.#record)) this.#change(value, "host");
  }

  get hostname() {
    const record = this.#record;
    if (record === undefined) return this.#href.slice(hostStart(this.#href), this.#colon());
    return record.host === null ? "" : parser().serializeHost(record.host);
  }
  set hostname(value) {
    value = usv(value);
    if (this.#record === undefined || !parser().hasAnOpaquePath(this.#record)) this.#change(value, "hostname");
  }

  get port() {
    if (this.#record === undefined) return this.#href.slice(this.#colon() + 1, this.#path);
    return this.#record.port === null ? "" : String(this.#record.port);
  }
  set port(value) {
    value = usv(value);
    const record = this.#open();
    if (!parser().cannotHaveAUsernamePasswordPort(record)) {
      if (value === "") record.port = null;
      else parser().basicURLParse(value, { url: record, stateOverride: "port" });
    }
    this.#close(record);
  }

  get pathname() {
    if (this.#record === undefined) return this.#href.slice(this.#path, this.#query);
    return parser().serializePath(this.#record);
  }
  set pathname(value) {
    value = usv(value);
    if (this.#record === undefined && isPlainPath(value)) {
      this.#locate(this.#href.slice(0, this.#path) + value + this.#href.slice(this.#query));
      return;
    }
    const record = this.#open();
    if (!parser().hasAnOpaquePath(record)) {
      record.path = [];
      parser().basicURLParse(value, { url: record, stateOverride: "path start" });
    }
    this.#close(record);
  }

  get search() {
    if (this.#record !== undefined) return this.#record.query ? `?${this.#record.query}` : "";
    return this.#hash - this.#query > 1 ? this.#href.slice(this.#query, this.#hash) : "";
  }
  set search(value) {
    value = usv(value);
    if (value !== "" && !value.startsWith("?")) value = `?${value}`;
    if (this.#record === undefined && isPlainSearch(value)) {
      this.#locate(this.#href.slice(0, this.#query) + value + this.#href.slice(this.#hash));
    } else {
      const record = this.#open();
      record.query = value === "" ? null : "";
      if (value !== "") parser().basicURLParse(value.slice(1), { url: record, stateOverride: "query" });
      this.#close(record);
    }
    this.#reset();
  }

  get searchParams() {
    return (this.#params ??= createParams(this, this.search.slice(1), setQuery));
  }

  get hash() {
    if (this.#record !== undefined) return this.#record.fragment ? `#${this.#record.fragment}` : "";
    return this.#href.length - this.#hash > 1 ? this.#href.slice(this.#hash) : "";
  }
  set hash(value) {
    value = usv(value);
    if (value !== "" && !value.startsWith("#")) value = `#${value}`;
    if (this.#record === undefined && isPlainHash(value)) {
      this.#locate(this.#href.slice(0, this.#hash) + value);
      return;
    }
    const record = this.#open();
    record.fragment = value === "" ? null : "";
    if (value !== "") parser().basicURLParse(value.slice(1), { url: record, stateOverride: "fragment" });
    this.#close(record);
  }

  toString() { return this.href; }
  toJSON() { return this.href; }

  // parse leaves the URL as it was where the input is none.
  #parse(input, base) {
    const href = base === undefined ? plainHref(input) : resolve(input, base);
    if (href !== undefined) {
      this.#locate(href);
      return true;
    }
    let baseURL = null;
    if (base !== undefined) {
      baseURL = parser().basicURLParse(base);
      if (baseURL === null) return false;
    }
    const record = parser().basicURLParse(input, { baseURL });
    if (record === null) return false;
    this.#close(record);
    return true;
  }

  #locate(href) {
    this.#record = undefined;
    this.#href = href;
    this.#path = href.indexOf("/", 8);
    const hash = href.indexOf("#", this.#path);
    this.#hash = hash < 0 ? href.length : hash;
    const query = href.indexOf("?", this.#path);
    this.#query = query < 0 || query > this.#hash ? this.#hash : query;
  }

  // colon is where the port's colon is in a plain URL, or would be.
  #colon() {
    const colon = this.#href.indexOf(":", 8);
    return colon < 0 || colon > this.#path ? this.#path : colon;
  }

  #open() {
    return this.#record ?? parser().basicURLParse(this.#href);
  }

  #close(record) {
    const href = parser().serializeURL(record);
    if (plainHref(href) === href) this.#locate(href);
    else this.#record = record;
  }

  #change(input, stateOverride) {
    const record = this.#open();
    parser().basicURLParse(input, { url: record, stateOverride });
    this.#close(record);
  }

  #reset() {
    if (this.#params !== undefined) resetParams(this.#params, this.search.slice(1));
  }

  static {
    setQuery = (url, query) => {
      const record = url.#record;
      if (record !== undefined) {
        record.query = query === "" ? null : query;
        url.#close(record);
        return;
      }
      const href = url.#href;
      url.#locate(href.slice(0, url.#query) + (query === "" ? "" : `?${query}`) + href.slice(url.#hash));
    };
    resolve = (input, base) => {
      const plainBase = plainHref(base);
      if (plainBase === undefined) return undefined;
      const href = plainHref(input);
      if (href !== undefined) return href;
      const url = new URL(secret);
      url.#locate(plainBase);
      const joined = join(plainBase, url.#path, url.#query, url.#hash, input);
      return joined === undefined ? undefined : plainHref(joined);
    };
  }
}

shape(URL);
