// The kinds of events that carry something.

import { dictionary, needArguments, shape } from "./idl.js";
import { Event } from "./event.js";

export class CustomEvent extends Event {
  #detail;

  constructor(type, init = undefined) {
    needArguments(arguments, 1, "CustomEvent", "constructor");
    super(type, init);
    this.#detail = dictionary(init).detail ?? null;
  }

  get detail() { return this.#detail; }

  initCustomEvent(type, bubbles = false, cancelable = false, detail = null) {
    needArguments(arguments, 1, "CustomEvent", "initCustomEvent");
    this.#detail;
    if (this.eventPhase !== Event.NONE) return;
    this.initEvent(type, bubbles, cancelable);
    this.#detail = detail;
  }
}

export class ErrorEvent extends Event {
  #message = "";
  #filename = "";
  #lineno = 0;
  #colno = 0;
  #error;

  constructor(type, init = undefined) {
    needArguments(arguments, 1, "ErrorEvent", "constructor");
    super(type, init);
    const { colno, error, filename, lineno, message } = dictionary(init);
    if (colno !== undefined) this.#colno = colno >>> 0;
    this.#error = error;
    if (filename !== undefined) this.#filename = `${filename}`;
    if (lineno !== undefined) this.#lineno = lineno >>> 0;
    if (message !== undefined) this.#message = `${message}`;
  }

  get message() { return this.#message; }
  get filename() { return this.#filename; }
  get lineno() { return this.#lineno; }
  get colno() { return this.#colno; }
  get error() { return this.#error; }
}

export class MessageEvent extends Event {
  #data = null;
  #origin = "";
  #lastEventId = "";
  #source = null;
  #ports = Object.freeze([]);

  constructor(type, init = undefined) {
    needArguments(arguments, 1, "MessageEvent", "constructor");
    super(type, init);
    const { data, lastEventId, origin, ports, source } = dictionary(init);
    if (data !== undefined) this.#data = data;
    if (lastEventId !== undefined) this.#lastEventId = `${lastEventId}`;
    if (origin !== undefined) this.#origin = `${origin}`;
    if (ports !== undefined) this.#ports = Object.freeze([...ports]);
    if (source !== undefined) this.#source = source;
  }

  get data() { return this.#data; }
  get origin() { return this.#origin; }
  get lastEventId() { return this.#lastEventId; }
  get source() { return this.#source; }
  get ports() { return this.#ports; }
}

export class PromiseRejectionEvent extends Event {
  #promise;
  #reason;

  constructor(type, init) {
    needArguments(arguments, 2, "PromiseRejectionEvent", "constructor");
    super(type, init);
    const { promise, reason } = dictionary(init);
    if (promise === undefined) throw new TypeError("PromiseRejectionEvent.constructor: the promise is missing");
    this.#promise = promise instanceof Promise ? promise : Promise.resolve(promise);
    this.#reason = reason;
  }

  get promise() { return this.#promise; }
  get reason() { return this.#reason; }
}

for (const Class of [CustomEvent, ErrorEvent, MessageEvent, PromiseRejectionEvent]) shape(Class);
