// fetch: JavaScript says what to ask for; Go does the asking, follows redirects and undoes content codings.
import { native } from "../native.js";
import { offAbort, onAbort } from "../lib/abort.js";
import { needArguments } from "../lib/idl.js";
import { Body, RemoteBody, reader } from "./body.js";
import { call, forget, register } from "./calls.js";
import { currentRecord } from "./context.js";
import { HeaderList } from "./headers.js";
import { FETCH, FETCH_ABORT, FETCH_CLOSE, FETCH_READ, FETCH_WRITE } from "./ops.js";
import { makeState } from "./request.js";
import { Response, ResponseState } from "./response.js";

const SLICE = 64 * 1024; // bytes of one FETCH_WRITE

export function fetch(input, init = undefined) {
  return new Promise((resolve, reject) => {
    needArguments(arguments, 1, "fetch");
    new Exchange(makeState(input, init), resolve, reject).start();
  });
}

// Exchange is one fetch, until its response's body has ended.
class Exchange {
  #state;
  #resolve;
  #reject;
  #number = 0;
  #signal; // what may abort it
  #abort = (reason) => this.#fail(reason);
  #upload; // the reader of a body that is sent in pieces
  #download; // the RemoteBody of the response
  #over = false;

  constructor(state, resolve, reject) {
    this.#state = state;
    this.#resolve = resolve;
    this.#reject = reject;
    this.#signal = state.abortedBy;
  }

  start() {
    const { method, url, list, body, options } = this.#state;
    if (this.#signal?.aborted) {
      body?.cancel(this.#signal.reason);
      return this.#reject(this.#signal.reason);
    }
    if (!/^https?:/.test(url)) return this.#reject(failure(`the scheme of ${url} is neither http nor https`));
    const source = body === null ? undefined : body.take();
    const complete = source === undefined || typeof source === "string" || source instanceof Uint8Array;
    if (this.#signal !== undefined) onAbort(this.#signal, this.#abort);
    this.#number = register(
      (status, statusText, finalURL, headers, redirected, hasBody) =>
        this.#answer(status, statusText, finalURL, headers, redirected, hasBody),
      (error) => this.#refuse(error),
    );
    native.post(FETCH, this.#number, method, url, list.text, complete ? source : true, options.redirect);
    if (!complete) this.#send(reader(source));
  }

  #answer(status, statusText, url, headers, redirected, hasBody) {
    const list = new HeaderList(undefined, headers);
    list.immutable = true;
    let body = null;
    if (hasBody) {
      const download = new RemoteBody(FETCH_READ, FETCH_ABORT, this.#number);
      const record = currentRecord();
      this.#download = download;
      if (record !== undefined && !record.closed) (record.fetches ??= new Set()).add(download);
      download.onEnd = () => {
        record?.fetches?.delete(download);
        this.#end();
      };
      body = new Body(download, null);
    } else {
      this.#end();
    }
    const state = new ResponseState(body, status, statusText, list);
    state.type = "basic";
    state.url = url;
    state.redirected = redirected;
    this.#resolve(new Response(state));
  }

  #refuse(error) {
    this.#stopUpload(error);
    this.#end();
    this.#reject(error instanceof TypeError ? failure(error.message) : error);
  }

  // fail gives the exchange up, wherever it is: the signal said so, or the body to send broke.
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
    try {
      for (;;) {
        const chunk = await upload.read();
        if (this.#upload === undefined) return;
        if (chunk === null) break;
        for (let start = 0; start < chunk.byteLength; start += SLICE) {
          const wanted = await call(FETCH_WRITE, this.#number, chunk.subarray(start, start + SLICE));
          if (this.#upload === undefined) return;
          if (wanted === false) return this.#stopUpload(); // the server has answered without reading on
        }
      }
      this.#upload = undefined;
      native.post(FETCH_CLOSE, 0, this.#number);
    } catch (error) {
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

function failure(reason) {
  return new TypeError(`fetch failed: ${reason}`, { cause: new Error(reason) });
}
