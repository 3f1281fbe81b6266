// Timers and microtasks. Go keeps the time: one TIMER message out, one back when it is due.
import { native } from "../native.js";
import { needArguments } from "../lib/idl.js";
import { reportException } from "../lib/report.js";
import { currentFrame, enter } from "./context.js";
import { CLEAR, TIMER } from "./ops.js";

const MAX_DELAY = 2 ** 31 - 1; // milliseconds, 24.8 days

const timers = new Map(); // id → { callback, args, frame, repeat: milliseconds, or -1 }
let last = 0;

function add(name, callback, delay, repeats, args) {
  if (typeof callback !== "function") throw new TypeError(`${name}: the callback is not a function`);
  delay = Number(delay);
  const wait = delay > 0 ? Math.min(delay, MAX_DELAY) : 0;
  do last = last === MAX_DELAY ? 1 : last + 1;
  while (timers.has(last));
  timers.set(last, { callback, args, frame: currentFrame(), repeat: repeats ? Math.max(wait, 1) : -1 });
  native.post(TIMER, last, wait);
  return last;
}

function clear(id) {
  id = Number(id);
  if (timers.delete(id)) native.post(CLEAR, id);
}

export function setTimeout(callback, delay = 0, ...args) {
  needArguments(arguments, 1, "setTimeout");
  return add("setTimeout", callback, delay, false, args);
}

export function setInterval(callback, delay = 0, ...args) {
  needArguments(arguments, 1, "setInterval");
  return add("setInterval", callback, delay, true, args);
}

export function clearTimeout(id = 0) {
  clear(id);
}

export function clearInterval(id = 0) {
  clear(id);
}

export function fireTimer(id) {
  const timer = timers.get(id);
  if (timer === undefined) return;
  if (timer.repeat < 0) timers.delete(id);
  enter(timer.frame);
  try {
    Reflect.apply(timer.callback, globalThis, timer.args);
  } catch (error) {
    reportException(error);
  }
  if (timer.repeat >= 0 && timers.has(id)) native.post(TIMER, id, timer.repeat);
}

export function queueMicrotask(callback) {
  needArguments(arguments, 1, "queueMicrotask");
  if (typeof callback !== "function") throw new TypeError("queueMicrotask: the callback is not a function");
  Promise.resolve().then(() => {
    try {
      callback();
    } catch (error) {
      reportException(error);
    }
  });
}
