// Promises that were rejected with nobody listening.
import { trust } from "../lib/event.js";
import { PromiseRejectionEvent } from "../lib/events.js";
import { dispatch, globalTarget, hasListener } from "../lib/eventtarget.js";
import { currentFrame, enter } from "./context.js";
import { postUnhandled } from "./failure.js";

const REJECTED = 0;
const HANDLED = 1; // a handler came after the rejection

let pending = new Map(); // promise → { reason, frame }
const reported = new WeakSet();
let handledLate = [];

// onRejection is called by V8 in the middle of whatever runs, so it only takes notes.
export function onRejection(kind, promise, reason) {
  if (kind === REJECTED) {
    pending.set(promise, { reason, frame: currentFrame() });
  } else if (kind === HANDLED && !pending.delete(promise) && reported.delete(promise)) {
    handledLate.push(promise);
  }
}

// checkRejections runs after the microtasks of a message: what is still unhandled then stays so.
export function checkRejections() {
  const rejected = pending;
  pending = new Map();
  for (const [promise, { reason, frame }] of rejected) {
    enter(frame);
    if (fire("unhandledrejection", promise, reason)) postUnhandled(frame?.record?.id ?? 0, reason);
    reported.add(promise);
  }
  const late = handledLate;
  handledLate = [];
  for (const promise of late) fire("rejectionhandled", promise, undefined);
}

// fire answers whether the default is still wanted.
function fire(type, promise, reason) {
  if (!hasListener(globalTarget, type)) return true;
  const event = new PromiseRejectionEvent(type, { promise, reason, cancelable: type === "unhandledrejection" });
  return dispatch(globalTarget, trust(event));
}
