// Asynchronous calls to Go: each has a number, and RESULT or ERROR with that number settles it.
import { native } from "../native.js";
import { currentFrame, enter } from "./context.js";
import { DOMException } from "../lib/domexception.js";

const waiting = new Map(); // number → { onResult, onError, frame }
let last = 0;

// register takes the next number for a call that the caller posts itself. Exactly one of onResult(values…) and
// onError(error) is called, later, in the frame of the code that asked.
export function register(onResult, onError) {
  do last = last === 0xffffffff ? 1 : last + 1;
  while (waiting.has(last));
  waiting.set(last, { onResult, onError, frame: currentFrame() });
  return last;
}

// forget drops a call: its answer will be ignored.
export function forget(number) {
  waiting.delete(number);
}

// call posts op and promises the first value of its result.
export function call(op, ...args) {
  return new Promise((resolve, reject) => {
    native.post(op, register(resolve, reject), ...args);
  });
}

export function onResult(number, a, b, c, d, e, f) {
  const entry = waiting.get(number);
  if (entry === undefined) return;
  waiting.delete(number);
  enter(entry.frame);
  entry.onResult(a, b, c, d, e, f);
}

export function onError(number, name, message) {
  const entry = waiting.get(number);
  if (entry === undefined) return;
  waiting.delete(number);
  enter(entry.frame);
  entry.onError(makeError(name, message));
}

const errorClasses = { Error, TypeError, RangeError, SyntaxError };

// makeError is what Go calls name: one of JavaScript's own errors, else a DOMException.
export function makeError(name, message) {
  const Class = Object.hasOwn(errorClasses, name) ? errorClasses[name] : undefined;
  return Class === undefined ? new DOMException(message, name) : new Class(message);
}
