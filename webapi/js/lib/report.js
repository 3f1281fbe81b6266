// What happens to an exception that nobody caught: the global's error event, then the log.

import { globalTarget, dispatch, hasListener } from "./eventtarget.js";
import { ErrorEvent } from "./events.js";
import { trust } from "./event.js";

let reporting = false;

// unhandled is where an exception ends that no listener took; the core logs it with the request that it belongs to.
let unhandled = () => {};

export function onUnhandled(callback) {
  unhandled = callback;
}

// reportException is HTML's "report an exception". An exception in an error listener is not reported to it again.
export function reportException(error) {
  if (reporting || !hasListener(globalTarget, "error")) {
    unhandled(error);
    return;
  }
  reporting = true;
  try {
    const { filename, lineno, colno } = position(error);
    const event = new ErrorEvent("error", { cancelable: true, message: message(error), filename, lineno, colno, error });
    if (dispatch(globalTarget, trust(event))) unhandled(error);
  } finally {
    reporting = false;
  }
}

function message(error) {
  try {
    return `Uncaught ${error}`;
  } catch {
    return "Uncaught exception";
  }
}

// position finds where an error was made in V8's text of its stack: "at name (file:line:column)".
function position(error) {
  let stack;
  try {
    stack = error?.stack;
  } catch {
    // A getter that throws has no position.
  }
  // The message comes first, and may be long: an expression that looks for places in it takes the square of that.
  const line = typeof stack === "string" ? stack.split("\n").find((line) => line.startsWith("    at ") && line.length < 4096) : undefined;
  const found = line === undefined ? null : /\(?([^\s()]+):(\d+):(\d+)\)?$/.exec(line);
  if (found === null) return { filename: "", lineno: 0, colno: 0 };
  return { filename: found[1], lineno: Number(found[2]), colno: Number(found[3]) };
}
