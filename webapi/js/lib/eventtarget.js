import { Event, fire, isDispatching, trust } from "./event.js";
import { DOMException } from "./domexception.js";
import { isObject, needArguments, shape } from "./idl.js";
import { reportException } from "./report.js";

// What only the platform may do with a target.
export let dispatch; // (target, event): dispatchEvent without its checks
export let watch; // (target, changed): calls changed(type, count) when the number of a type's listeners changes
export let hasListener; // (target, type)
export let getHandler; // (target, type) and
export let setHandler; // (target, type, value): the attribute onTYPE

let isTarget;

let whenAborted; // (signal, algorithm), of abort.js, whose signals are targets
export function followSignals(onAbort) {
  whenAborted = onAbort;
}

export class EventTarget {
  #listeners; // type → [listener], made with the first
  #watcher;

  addEventListener(type, callback, options = undefined) {
    const self = receiver(this);
    needArguments(arguments, 2, "EventTarget", "addEventListener");
    type = `${type}`;
    const listener = readOptions(callback, options);
    if (callback === null || callback === undefined) return;
    if (!isObject(callback)) throw new TypeError("EventTarget.addEventListener: the listener is not an object");
    self.#add(type, listener);
  }

  removeEventListener(type, callback, options = undefined) {
    const self = receiver(this);
    needArguments(arguments, 2, "EventTarget", "removeEventListener");
    type = `${type}`;
    const capture = isObject(options) ? !!options.capture : !!options;
    const listener = self.#find(type, callback, capture);
    if (listener !== undefined) self.#remove(type, listener);
  }

  dispatchEvent(event) {
    const self = receiver(this);
    needArguments(arguments, 1, "EventTarget", "dispatchEvent");
    if (!(event instanceof Event)) throw new TypeError("EventTarget.dispatchEvent: the argument is not an Event");
    if (isDispatching(event)) throw new DOMException("the event is being dispatched", "InvalidStateError");
    trust(event, false);
    return self.#dispatch(event);
  }

  #add(type, listener) {
    if (listener.signal?.aborted) return;
    if (this.#find(type, listener.callback, listener.capture) !== undefined) return;
    this.#listeners ??= new Map();
    const list = this.#listeners.get(type);
    // A list that is being walked must not change: dispatch takes the one that was there.
    const changed = list === undefined ? [listener] : [...list, listener];
    this.#listeners.set(type, changed);
    if (listener.signal !== undefined) whenAborted(listener.signal, () => this.#remove(type, listener));
    this.#watcher?.(type, changed.length);
  }

  #remove(type, listener) {
    const list = this.#listeners?.get(type);
    if (list === undefined || listener.removed) return;
    listener.removed = true;
    const changed = list.filter((other) => other !== listener);
    if (changed.length === 0) this.#listeners.delete(type);
    else this.#listeners.set(type, changed);
    this.#watcher?.(type, changed.length);
  }

  #find(type, callback, capture) {
    return this.#listeners?.get(type)?.find((l) => l.callback === callback && l.capture === capture);
  }

  #dispatch(event) {
    const type = event.type;
    return fire(event, facade(this), this.#listeners?.get(type), (listener, event) => {
      if (listener.once) this.#remove(type, listener);
      call(listener, event);
    });
  }

  static {
    dispatch = (target, event) => target.#dispatch(event);
    watch = (target, changed) => { target.#watcher = changed; };
    hasListener = (target, type) => target.#listeners?.has(type) === true;
    getHandler = (target, type) => receiver(target).#handler(type)?.handler ?? null;
    setHandler = (target, type, value) => receiver(target).#setHandler(type, value);
    isTarget = (value) => isObject(value) && #listeners in value;
  }

  #handler(type) {
    return this.#listeners?.get(type)?.find((l) => l.handler !== undefined);
  }

  #setHandler(type, value) {
    const old = this.#handler(type);
    if (!isObject(value)) {
      if (old !== undefined) this.#remove(type, old);
    } else if (old !== undefined) {
      old.handler = value; // it keeps its place
    } else {
      this.#add(type, { callback: undefined, handler: value, capture: false, once: false, passive: false, removed: false });
    }
  }
}

// The global is an EventTarget by its prototype, but wasn't made as one: its listeners are those of a target of its
// own, whose events name the global.
export const globalTarget = new EventTarget();

function receiver(value) {
  if (value === undefined || value === null || value === globalThis) return globalTarget;
  if (!isTarget(value)) throw new TypeError("Illegal invocation: not an EventTarget");
  return value;
}

function facade(target) {
  return target === globalTarget ? globalThis : target;
}

function readOptions(callback, options) {
  const listener = { callback, handler: undefined, capture: false, once: false, passive: false, signal: undefined, removed: false };
  if (!isObject(options)) {
    listener.capture = !!options;
    return listener;
  }
  listener.capture = !!options.capture;
  listener.once = !!options.once;
  listener.passive = !!options.passive;
  const signal = options.signal;
  if (signal !== undefined) {
    if (!isTarget(signal) || !("aborted" in signal)) {
      throw new TypeError("EventTarget.addEventListener: the signal is not an AbortSignal");
    }
    listener.signal = signal;
  }
  return listener;
}

function call(listener, event) {
  try {
    if (listener.handler !== undefined) return callHandler(listener.handler, event);
    const callback = listener.callback;
    if (typeof callback === "function") return void callback.call(event.currentTarget, event);
    const handle = callback.handleEvent;
    if (typeof handle !== "function") throw new TypeError("the event listener's handleEvent is not a function");
    handle.call(callback, event);
  } catch (error) {
    reportException(error);
  }
}

// callHandler runs an onTYPE attribute: its return value can cancel the event, and the global's onerror gets five
// arguments.
function callHandler(handler, event) {
  if (typeof handler !== "function") return;
  if (event.type === "error" && event.currentTarget === globalThis && "colno" in event) {
    const { message, filename, lineno, colno, error } = event;
    if (handler.call(globalThis, message, filename, lineno, colno, error) === true) event.preventDefault();
  } else if (handler.call(event.currentTarget, event) === false) {
    event.preventDefault();
  }
}

shape(EventTarget);
