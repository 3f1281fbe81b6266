// fetch: JavaScript says what to ask for and follows redirects; Go asks, and undoes content codings.
import { native } from "../native.js";
import { offAbort, onAbort } from "../lib/abort.js";
import { needArguments } from "../lib/idl.js";
import { URL } from "../lib/url/url.js";
import { Body, RemoteBody, reader } from "./body.js";
import { call, forget, register } from "./calls.js";
import { currentRecord } from "./context.js";
import { HeaderList } from "./headers.js";
import { FETCH, FETCH_ABORT, FETCH_CLOSE, FETCH_READ, FETCH_WRITE } from "./ops.js";
import { makeState } from "./request.js";
import { Response, ResponseState } from "./response.js";

const SLICE = 64 * 1024; // bytes of one FETCH_WRITE
const MAX_REDIRECTS = 20;

export function fetch(input, init = undefined) {
  return new Promise((resolve, reject) => {
    needArguments(arguments, 1, "fetch");
    new Exchange(makeState(input, init), false, resolve, reject).start();
  });
}

// fetchAsset does the same, but asks the app's own static files, whatever the host.
export function fetchAsset(input, init, resolve, reject) {
  new Exchange(makeState(input, init), true, resolve, reject).start();
}

// Exchange is one fetch, with its redirects, until its response's body has ended.
class Exchange {
  #method;
  #url;
  #assets; // whether the app's static files are asked
  #list;
  #source; // what is sent: a string, bytes, a stream or a RemoteBody, or undefined
  #redirect;
  #redirects = 0;
  #resolve;
  #reject;
  #number = 0; // of the call, and of what Go holds for it
  #signal; // what may abort it
  #abort = (reason) => this.#fail(reason);
  #upload; // the reader of a body that is sent in pieces
  #download; // the RemoteBody of the response
  #over = false;

  constructor(state, assets, resolve, reject) {
    this.#method = state.method;
    this.#url = state.url;
    this.#assets = assets;
    this.#list = state.list;
    this.#redirect = state.options.redirect;
    this.#signal = state.abortedBy;
    this.#resolve = resolve;
    this.#reject = reject;
    if (this.#signal?.aborted) state.body?.cancel(this.#signal.reason);
    else this.#source = state.body?.take();
  }

  start() {
    if (this.#signal?.aborted) return this.#reject(this.#signal.reason);
    if (!/^https?:/.test(this.#url)) {
      return this.#reject(failure(`${this.#url} is neither an http nor an https URL`));
    }
    if (this.#signal !== undefined) onAbort(this.#signal, this.#abort);
    this.#ask();
  }

  #ask() {
    const source = this.#source;
    const complete = this.#isComplete();
    this.#number = register(
      (status, statusText, headers, body) => this.#answer(status, statusText, headers, body),
      (error) => this.#fail(error instanceof TypeError ? failure(error.message) : error),
    );
    const body = complete ? source : true;
    native.post(FETCH, this.#number, this.#method, this.#url, this.#list.text, body, this.#assets);
    if (!complete) this.#send(reader(source));
  }

  #isComplete() {
    const source = this.#source;
    return source === undefined || typeof source === "string" || source instanceof Uint8Array;
  }

  // given: the body itself where it is small, or whether there is one.
  #answer(status, statusText, headers, given) {
    const list = new HeaderList(undefined, headers);
    list.immutable = true;
    if (isRedirect(status) && this.#redirect !== "manual" && list.has("location")) {
      return this.#follow(status, list.get("location"));
    }
    let body = null;
    if (given === true) {
      this.#download = this.#openDownload();
      body = new Body(this.#download, null);
    } else {
      if (given) body = new Body(given, null);
      this.#end();
    }
    const state = new ResponseState(body, status, statusText, list);
    state.type = "basic";
    state.url = withoutFragment(this.#url);
    state.redirected = this.#redirects > 0;
    this.#resolve(new Response(state));
  }

  #openDownload() {
    const download = new RemoteBody(FETCH_READ, FETCH_ABORT, this.#number);
    const record = currentRecord();
    if (record !== undefined && !record.closed) (record.fetches ??= new Set()).add(download);
    download.onEnd = () => {
      record?.fetches?.delete(download);
      this.#end();
    };
    return download;
  }

  // follow is the standard's "HTTP-redirect fetch".
  #follow(status, location) {
    if (this.#redirect === "error") return this.#fail(failure(`the server redirects to ${location}`));
    if (++this.#redirects > MAX_REDIRECTS) return this.#fail(failure(`more than ${MAX_REDIRECTS} redirects`));
    const from = new URL(this.#url);
    const to = URL.parse(decodeLocation(location), this.#url);
    if (to === null || !/^https?:$/.test(to.protocol)) {
      return this.#fail(failure(`the server redirects to ${location}, which is no http or https URL`));
    }
    if (to.username !== "" || to.password !== "") {
      return this.#fail(failure("the server redirects to a URL with a user name or password"));
    }
    if (to.hash === "") to.hash = from.hash;
    const drops = status === 303 ? this.#method !== "GET" && this.#method !== "HEAD"
      : (status === 301 || status === 302) && this.#method === "POST";
    if (!drops && !this.#isComplete()) {
      return this.#fail(failure("the server redirects, and the body was a stream: it can't be sent again"));
    }
    this.#list = this.#list.copy();
    if (drops) {
      this.#method = "GET";
      this.#source = undefined;
      this.#stopUpload();
      for (const name of BODY_HEADERS) this.#list.delete(name);
    }
    if (from.origin !== to.origin) for (const name of CREDENTIALS) this.#list.delete(name);
    native.post(FETCH_ABORT, 0, this.#number); // the redirect's own body
    this.#url = to.href;
    this.#ask();
  }

  // fail gives the exchange up, wherever it is.
  #fail(reason) {
    if (this.#over) return;
    this.#stopUpload(reason);
    if (this.#download !== undefined) return this.#download.fail(reason);
    forget(this.#number);
    native.post(FETCH_ABORT, 0, this.#number);
    this.#end();
    this.#reject(reason);
  }

  #end() {
    this.#over = true;
    if (this.#signal !== undefined) offAbort(this.#signal, this.#abort);
  }

  async #send(upload) {
    this.#upload = upload;
    const number = this.#number;
    try {
      for (;;) {
        const chunk = await upload.read();
        if (this.#upload === undefined) return;
        if (chunk === null) break;
        for (let start = 0; start < chunk.byteLength; start += SLICE) {
          const wanted = await call(FETCH_WRITE, number, chunk.subarray(start, start + SLICE));
          if (this.#upload === undefined) return;
          if (!wanted) return this.#stopUpload(); // the server has answered without reading on
        }
      }
      this.#upload = undefined;
      native.post(FETCH_CLOSE, 0, number);
    } catch (error) {
      this.#upload = undefined;
      this.#fail(error);
    }
  }

  async #stopUpload(reason) {
    const upload = this.#upload;
    this.#upload = undefined;
    try {
      await upload?.cancel(reason);
    } catch {
      // The stream is the app's, and nobody waits for it.
    }
  }
}

// What describes a body, and goes with it.
const BODY_HEADERS = ["content-encoding", "content-language", "content-location", "content-type", "content-length"];

// What another origin must not see.
const CREDENTIALS = ["authorization", "proxy-authorization", "cookie", "host"];

function isRedirect(status) {
  return status === 301 || status === 302 || status === 303 || status === 307 || status === 308;
}

// Servers write UTF-8 into Location, which arrives a code unit a byte.
function decodeLocation(location) {
  if (!/[\x80-\xff]/.test(location)) return location;
  return native.utf8Decode(Uint8Array.from(location, (c) => c.charCodeAt(0)), false);
}

function withoutFragment(url) {
  const hash = url.indexOf("#");
  return hash < 0 ? url : url.slice(0, hash);
}

function failure(reason) {
  return new TypeError(`fetch failed: ${reason}`, { cause: new Error(reason) });
}
