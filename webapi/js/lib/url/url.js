import { needArguments, shape, usv } from "../idl.js";
import { found, isPlainHash, isPlainPath, isPlainSearch, join, scan } from "./scan.js";
import { createParams, resetParams } from "./searchparams.js";

// parser is whatwg-url's state machine, evaluated when the first URL needs it.
const parser = () => require("whatwg-url/lib/url-state-machine.js");

const secret = Symbol("URL");

let setQuery; // (url, query): its searchParams have changed

// A URL is either plain (see scan.js): its text and where the parts of it start; or it has a record, the parser's.
export class URL {
  #href = "";
  #host = 0;
  #port = 0;
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
    if (this.#record === undefined) return this.#host === 7 ? "http:" : "https:";
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
    if (record === undefined) return this.#href.slice(this.#host, this.#path);
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
    if (record === undefined) return this.#href.slice(this.#host, this.#port);
    return record.host === null ? "" : parser().serializeHost(record.host);
  }
  set hostname(value) {
    value = usv(value);
    if (this.#record === undefined || !parser().hasAnOpaquePath(this.#record)) this.#change(value, "hostname");
  }

  get port() {
    if (this.#record === undefined) return this.#href.slice(this.#port + 1, this.#path);
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
      this.#replace(this.#path, value, this.#query);
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
      this.#replace(this.#query, value, this.#hash);
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
      this.#replace(this.#hash, value, this.#href.length);
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
    if (base === undefined || scan(base)) {
      let href = input;
      let plain = scan(href);
      if (!plain && base !== undefined) {
        href = join(base, input);
        plain = href !== undefined && scan(href);
      }
      if (plain) {
        this.#take(href);
        return true;
      }
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

  // take makes this the plain URL that scan has just found.
  #take(href) {
    this.#record = undefined;
    this.#host = found.host;
    this.#port = found.port;
    this.#path = found.path;
    this.#query = found.query;
    this.#hash = found.hash;
    this.#href = href;
    if (found.path < href.length) return;
    this.#href += "/";
    this.#query = this.#hash = this.#href.length;
  }

  // replace puts text that is plain there in the place of a part of a plain URL.
  #replace(start, text, end) {
    const href = this.#href.slice(0, start) + text + this.#href.slice(end);
    scan(href);
    this.#take(href);
  }

  #open() {
    return this.#record ?? parser().basicURLParse(this.#href);
  }

  #close(record) {
    const href = parser().serializeURL(record);
    if (scan(href)) this.#take(href);
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
      if (record === undefined) {
        url.#replace(url.#query, query === "" ? "" : `?${query}`, url.#hash);
        return;
      }
      record.query = query === "" ? null : query;
      url.#close(record);
    };
  }
}

shape(URL);
