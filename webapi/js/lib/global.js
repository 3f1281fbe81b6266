// The global object itself: an EventTarget, and what it has beside classes and functions.

import { native } from "../native.js";
import { Record } from "../core/context.js";
import { crypto } from "./crypto.js";
import { EventTarget, getHandler, setHandler } from "./eventtarget.js";
import { eventHandler, exposeOperations, exposeReplaceable, needArguments } from "./idl.js";
import { Navigator, navigator } from "./navigator.js";
import { performance } from "./performance.js";
import { reportException } from "./report.js";

export function installGlobal() {
  Object.setPrototypeOf(globalThis, EventTarget.prototype);
  exposeOperations({ reportError });
  for (const type of ["error", "unhandledrejection", "rejectionhandled"]) {
    eventHandler(globalThis, type, { get: getHandler, set: setHandler });
  }
  exposeReplaceable("self", () => globalThis);
  exposeReplaceable("performance", () => performance);
  exposeReplaceable("navigator", () => navigator);
  Object.defineProperty(globalThis, "crypto", { get: () => crypto, set: undefined, enumerable: true, configurable: true });
  Object.defineProperty(globalThis, Symbol.for("nano.context"), { value: contextSlot, writable: true, configurable: true });
}

function reportError(error) {
  needArguments(arguments, 1, "reportError");
  reportException(error);
}

// contextSlot is one value that follows the running code through promises, beside the request that it runs for: what
// node:async_hooks is built on.
const contextSlot = {
  get() {
    return native.getContext()?.stores;
  },
  set(value) {
    const record = native.getContext()?.record;
    native.setContext(value === undefined ? record : { record: record ?? noRequest, stores: value });
  },
};

const noRequest = new Record(0);
