// The kernel hands each message from Go to whom it concerns, and answers the requests.
import { native } from "../native.js";
import { assets } from "./assets.js";
import { onError, onResult } from "./calls.js";
import { enter } from "./context.js";
import { ExecutionContext } from "./execution.js";
import { describe } from "./failure.js";
import { findHandler } from "./handler.js";
import { installEnv } from "./hooks.js";
import { close, findRecord, finish, openRecord } from "./life.js";
import {
  FAIL, IN_ABORT, IN_CHECK, IN_ENV, IN_ERROR, IN_LOAD, IN_REQUEST, IN_RESULT, IN_TIMER, RESPOND,
} from "./ops.js";
import { Pump } from "./pump.js";
import { checkRejections, onRejection } from "./rejections.js";
import { abortIncoming, incomingRequest } from "./request.js";
import { isResponse, responseState } from "./response.js";
import { fireTimer } from "./timers.js";

let env; // the app's
let handler; // (request, ctx) → a Response or a promise of one

// dispatch takes one message; the bridge runs the microtasks after each. Only ENV and LOAD throw.
export function dispatch(op, id, a, b, c, d, e, f) {
  switch (op) {
    case IN_REQUEST: return start(id, a, b, c, d);
    case IN_ABORT: return abort(id, a, b);
    case IN_RESULT: return onResult(id, a, b, c, d, e, f);
    case IN_ERROR: return onError(id, a, b);
    case IN_TIMER: return fireTimer(id);
    case IN_ENV: return prepare(JSON.parse(a), c);
    case IN_LOAD: return load(a);
    case IN_CHECK: return checkRejections();
  }
}

// The bridge calls this as V8 tells it that a promise was rejected with nobody listening, or that somebody came late.
dispatch.rejection = onRejection;

// prepare gives the app's module what it may look for at its top level.
function prepare(vars, hasAssets) {
  env = vars;
  if (hasAssets && !Object.hasOwn(env, "ASSETS")) env.ASSETS = assets;
  installEnv(env);
}

function load(namespace) {
  handler = findHandler(namespace, env);
}

function start(id, method, url, headers, body) {
  const record = openRecord(id);
  enter(record);
  let result;
  try {
    result = handler(incomingRequest(record, method, url, headers, body), new ExecutionContext(record));
  } catch (error) {
    return fail(record, error);
  }
  if (isResponse(result)) return answer(record, result);
  Promise.resolve(result).then((value) => {
    if (isResponse(value)) answer(record, value);
    else fail(record, new TypeError(`fetch handler returned ${kindOf(value)}, expected a Response`));
  }, (error) => fail(record, error));
}

// answer is respond for a response that may not go out: one past all limits, or that others have tampered with.
function answer(record, response) {
  try {
    respond(record, response);
  } catch (error) {
    fail(record, error);
  }
}

function respond(record, response) {
  const state = responseState(response);
  const { body } = state;
  if (record.finished) { // nobody waits for it
    if (body !== null) body.cancel(record.aborted);
    return;
  }
  if (state.type === "error") return fail(record, new TypeError("fetch handler returned Response.error()"));
  if (body === null) {
    native.post(RESPOND, record.id, state.status, state.headerText);
    return finish(record);
  }
  if (body.unusable) {
    return fail(record, new TypeError("fetch handler returned a Response whose body is read already"));
  }
  const source = body.take();
  if (typeof source === "string" || source instanceof Uint8Array) {
    native.post(RESPOND, record.id, state.status, state.headerText, source);
    return finish(record);
  }
  // What an app's stream will hold nobody knows: a Content-Length, copied from the response that was changed, may be wrong.
  const headers = body.remote ? state.headerText : state.list.textWithout("content-length");
  native.post(RESPOND, record.id, state.status, headers, true);
  record.pump = new Pump(record, source);
  record.pump.run();
}

function fail(record, error) {
  if (record.finished) return;
  const { message, stack } = describe(error);
  native.post(FAIL, record.id, message, stack);
  finish(record);
}

// abort: the client has gone, or has waited too long. The promises that were given to waitUntil may go on, unless
// final says that even those took too long. A client may go just as the response is finished: then there is nothing
// to abort.
function abort(id, message, final) {
  const record = findRecord(id);
  if (record === undefined) return;
  if (!record.finished) {
    enter(record);
    abortIncoming(record, message);
    record.pump?.stop(record.aborted);
    finish(record);
  }
  if (final) close(record);
}

function kindOf(value) {
  if (value === null || value === undefined) return `${value}`;
  if (typeof value !== "object") return `a ${typeof value}`;
  try {
    const { name } = value.constructor;
    if (typeof name === "string" && name !== "" && name !== "Object") return `an instance of ${name}`;
  } catch {
    // It has no class, or hides it.
  }
  return "an object";
}
