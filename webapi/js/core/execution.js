// ctx, the third argument of a fetch handler, and the event of handlers that were added with addEventListener.
import { DOMException } from "../lib/domexception.js";
import { Event, trust } from "../lib/event.js";
import { dispatch, globalTarget } from "../lib/eventtarget.js";
import { needArguments, shape } from "../lib/idl.js";
import { currentRecord } from "./context.js";
import { collectUnhandled } from "./failure.js";
import { hold } from "./life.js";

const NO_PROPS = Object.freeze({});

export class ExecutionContext {
  #record;

  // record: left out for the context of a class that lives for many requests; it then means the current one.
  constructor(record) {
    this.#record = record;
  }

  waitUntil(promise) {
    needArguments(arguments, 1, "ExecutionContext", "waitUntil");
    const record = this.#record ?? currentRecord();
    if (record === undefined) throw new TypeError("ExecutionContext.waitUntil: no request is running");
    hold(record, promise);
  }

  // There is no origin behind an app to pass a request through to: an exception is always answered with an error.
  passThroughOnException() {
    this.#record;
  }

  get props() {
    this.#record;
    return NO_PROPS;
  }
}

shape(ExecutionContext);

let answerOf; // (event): what respondWith was given

export class FetchEvent extends Event {
  #request;
  #context;
  #response;

  constructor(request, context) {
    super("fetch", { cancelable: true });
    this.#request = request;
    this.#context = context;
  }

  get request() { return this.#request; }

  respondWith(response) {
    needArguments(arguments, 1, "FetchEvent", "respondWith");
    if (this.#response !== undefined) {
      throw new DOMException("FetchEvent.respondWith was called before", "InvalidStateError");
    }
    this.#response = Promise.resolve(response);
    this.stopImmediatePropagation();
  }

  waitUntil(promise) {
    needArguments(arguments, 1, "FetchEvent", "waitUntil");
    this.#context.waitUntil(promise);
  }

  passThroughOnException() {
    this.#context.passThroughOnException();
  }

  static {
    answerOf = (event) => event.#response;
  }
}

// askListeners lets the listeners of the global answer request.
export function askListeners(request, context) {
  const event = new FetchEvent(request, context);
  const error = collectUnhandled(() => dispatch(globalTarget, trust(event)));
  const answer = answerOf(event);
  if (answer !== undefined) return answer;
  if (error !== undefined) throw error.value;
  throw new TypeError("no fetch listener called event.respondWith()");
}

shape(FetchEvent);
