// What is told about an exception: to the client's side of a request, or to the log.
import { native } from "../native.js";
import { onUnhandled } from "../lib/report.js";
import { currentId } from "./context.js";
import { inspect } from "./inspect.js";
import { UNHANDLED } from "./ops.js";

const MAX_STACK = 16384;
const MAX_CAUSES = 8;

// describe never throws, whatever was thrown.
export function describe(error) {
  if (!isError(error)) return { message: `uncaught ${inspect(error)}`, stack: "" };
  const message = headline(error);
  let stack = read(error, "stack");
  if (typeof stack !== "string") stack = message;
  let cause = error;
  for (let i = 0; i < MAX_CAUSES; i++) {
    cause = read(cause, "cause");
    if (cause === undefined) break;
    if (!isError(cause)) {
      stack += `\ncaused by ${inspect(cause)}`;
      break;
    }
    stack += `\ncaused by ${read(cause, "stack") ?? headline(cause)}`;
  }
  return { message, stack: stack.slice(0, MAX_STACK) };
}

function isError(value) {
  try {
    return value instanceof Error;
  } catch {
    return false; // a Proxy
  }
}

function headline(error) {
  try {
    return `${error}`;
  } catch {
    return "an exception that can't be shown";
  }
}

function read(object, key) {
  try {
    return object[key];
  } catch {
    return undefined;
  }
}

let collected; // an array while collectUnhandled runs

// postUnhandled logs what nobody caught. request: an id, or 0.
export function postUnhandled(request, error) {
  const { message, stack } = describe(error);
  native.post(UNHANDLED, request, message, stack);
}

// collectUnhandled runs fn; the first exception that was reported meanwhile is not logged but answered, as { value }.
export function collectUnhandled(fn) {
  const outer = collected;
  const mine = [];
  collected = mine;
  try {
    fn();
  } finally {
    collected = outer;
  }
  for (let i = 1; i < mine.length; i++) postUnhandled(currentId(), mine[i].value);
  return mine[0];
}

onUnhandled((error) => {
  if (collected !== undefined) collected.push({ value: error });
  else postUnhandled(currentId(), error);
});
