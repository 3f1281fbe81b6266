// console: what an app prints becomes LOG messages that carry the request's id.
import { native } from "../native.js";
import { currentRecord } from "./context.js";
import { clip, inspect } from "./inspect.js";
import { DEBUG, ERROR, INFO, LOG, WARN } from "./ops.js";
import { drawTable } from "./table.js";

const MAX_TEXT = 16384; // code units of one line of the log

const counters = new Map();
const started = new Map(); // label → milliseconds
const MAX_LABELS = 1000; // of each of the two

let outerIndent = ""; // of code that runs for no request

function print(level, text) {
  const record = currentRecord();
  const indent = record === undefined ? outerIndent : (record.indent ?? "");
  if (indent !== "") text = indent + text.replaceAll("\n", `\n${indent}`);
  native.post(LOG, record === undefined ? 0 : record.id, level, clip(text, MAX_TEXT).toWellFormed());
}

// format is the Console standard's formatter: %s, %d, %i, %f, %j, %o, %O and %c in a first string, then the rest.
export function format(args) {
  let text = "";
  let next = 0;
  if (args.length > 1 && typeof args[0] === "string" && args[0].includes("%")) {
    next = 1;
    text = args[0].replace(/%([sdifjoOc%])/g, (whole, kind) => {
      if (kind === "%") return "%";
      if (next >= args.length) return whole;
      return convert(kind, args[next++]);
    });
  } else if (args.length > 0) {
    text = word(args[next++]);
  }
  for (; next < args.length; next++) text += ` ${word(args[next])}`;
  return text;
}

function word(value) {
  return typeof value === "string" ? value : inspect(value, 2);
}

function convert(kind, value) {
  switch (kind) {
    case "s": return typeof value === "string" ? value : inspect(value, 0);
    case "d": return typeof value === "bigint" ? `${value}n` : isNumeric(value) ? inspect(Number(value)) : "NaN";
    case "i": return typeof value === "bigint" ? `${value}n` : isNumeric(value) ? inspect(parseInt(value, 10)) : "NaN";
    case "f": return isNumeric(value) ? inspect(parseFloat(value)) : "NaN";
    case "j": return isObject(value) || typeof value === "bigint" ? inspect(value, 4) : `${JSON.stringify(value)}`;
    case "o":
    case "O": return inspect(value, 4);
    default: return ""; // %c: style, which a log has none of
  }
}

// isNumeric tells whether value becomes a number without the app's help.
function isNumeric(value) {
  return !isObject(value) && typeof value !== "symbol";
}

function isObject(value) {
  return (typeof value === "object" && value !== null) || typeof value === "function";
}

function labelOf(label) {
  return label === undefined ? "default" : typeof label === "symbol" ? inspect(label) : clip(`${label}`, 200);
}

function stackHere(skip) {
  const holder = {};
  Error.captureStackTrace(holder, skip);
  const { stack } = holder;
  return typeof stack === "string" ? stack.slice(stack.indexOf("\n") + 1) : "";
}

function changeIndent(change) {
  const record = currentRecord();
  if (record === undefined) outerIndent = change(outerIndent);
  else record.indent = change(record.indent ?? "");
}

function elapsed(label) {
  const ms = native.now() - started.get(label);
  return ms >= 1000 ? `${(ms / 1000).toFixed(3)}s` : `${ms.toFixed(3)}ms`;
}

const methods = {
  assert(condition = false, ...args) {
    if (condition) return;
    const text = typeof args[0] === "string" ? `Assertion failed: ${format(args)}` : `Assertion failed ${format(args)}`;
    print(ERROR, args.length === 0 ? "Assertion failed" : text);
  },
  clear() {},
  debug(...args) { print(DEBUG, format(args)); },
  error(...args) { print(ERROR, format(args)); },
  info(...args) { print(INFO, format(args)); },
  log(...args) { print(INFO, format(args)); },
  warn(...args) { print(WARN, format(args)); },
  trace(...args) {
    print(INFO, `Trace${args.length === 0 ? "" : `: ${format(args)}`}\n${stackHere(methods.trace)}`);
  },
  dir(value, options = undefined) {
    const depth = options?.depth;
    print(INFO, inspect(value, depth === null ? 16 : typeof depth === "number" ? Math.min(depth, 16) : 2));
  },
  dirxml(...args) { print(INFO, format(args)); },
  table(data = undefined, columns = undefined) {
    print(INFO, drawTable(data, columns) ?? word(data));
  },
  count(label = "default") {
    label = labelOf(label);
    if (!counters.has(label) && counters.size >= MAX_LABELS) counters.clear();
    counters.set(label, (counters.get(label) ?? 0) + 1);
    print(INFO, `${label}: ${counters.get(label)}`);
  },
  countReset(label = "default") {
    if (!counters.delete(labelOf(label))) print(WARN, `Count for '${labelOf(label)}' does not exist`);
  },
  group(...args) {
    if (args.length > 0) print(INFO, format(args));
    changeIndent((indent) => (indent.length < 40 ? `${indent}  ` : indent));
  },
  groupCollapsed(...args) { methods.group(...args); },
  groupEnd() {
    changeIndent((indent) => indent.slice(2));
  },
  time(label = "default") {
    label = labelOf(label);
    if (started.has(label)) return print(WARN, `Timer '${label}' already exists`);
    if (started.size >= MAX_LABELS) started.clear();
    started.set(label, native.now());
  },
  timeLog(label = "default", ...args) {
    label = labelOf(label);
    if (!started.has(label)) return print(WARN, `Timer '${label}' does not exist`);
    print(INFO, `${label}: ${elapsed(label)}${args.length === 0 ? "" : ` ${format(args)}`}`);
  },
  timeEnd(label = "default") {
    label = labelOf(label);
    if (!started.has(label)) return print(WARN, `Timer '${label}' does not exist`);
    print(INFO, `${label}: ${elapsed(label)}`);
    started.delete(label);
  },
  timeStamp() {},
  profile() {},
  profileEnd() {},
};

// console is a namespace object: its own prototype is an empty object, and its members are enumerable.
export const console = Object.create({});
Object.assign(console, methods);
Object.defineProperty(console, Symbol.toStringTag, { value: "console", configurable: true });
