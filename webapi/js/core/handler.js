// Which code of an app answers its requests.
import { globalTarget, hasListener } from "../lib/eventtarget.js";
import { ExecutionContext, askListeners } from "./execution.js";

// findHandler answers the function (request, ctx) → a Response or a promise of one. namespace is the app's module.
export function findHandler(namespace, env) {
  let target = namespace.default;
  if (!hasFetch(target) && hasFetch(target?.default)) target = target.default; // a CommonJS entry
  if (isClassWithFetch(target)) target = instantiate(target, env);
  if (hasFetch(target)) return (request, ctx) => target.fetch(request, env, ctx);
  if (hasListener(globalTarget, "fetch")) {
    shareAsGlobals(env);
    return askListeners;
  }
  throw new TypeError(`the app has no fetch handler: ${whatIsThere(namespace)}; write ` +
    "`export default { async fetch(request, env, ctx) { … } }` or `addEventListener(\"fetch\", (event) => …)`");
}

function hasFetch(value) {
  return (typeof value === "object" || typeof value === "function") && typeof value?.fetch === "function";
}

function isClassWithFetch(value) {
  if (typeof value !== "function" || hasFetch(value)) return false;
  return typeof value.prototype?.fetch === "function" || /^class\b/.test(Function.prototype.toString.call(value));
}

// instantiate makes the one instance that answers all requests; this.env and this.ctx are set where its class doesn't.
function instantiate(Class, env) {
  const ctx = new ExecutionContext(undefined);
  const instance = new Class(ctx, env);
  if (!("env" in instance)) instance.env = env;
  if (!("ctx" in instance)) instance.ctx = ctx;
  return instance;
}

// Apps that listen to events have no env argument: theirs are globals.
function shareAsGlobals(env) {
  for (const [name, value] of Object.entries(env)) {
    if (!(name in globalThis)) globalThis[name] = value;
  }
}

function whatIsThere(namespace) {
  const names = Object.keys(namespace);
  if (!names.includes("default")) {
    if (names.length === 0) return "its entry exports nothing";
    return `its entry has no default export, only ${names.join(", ")}`;
  }
  const value = namespace.default;
  if (typeof value === "function") return "its default export is a function without a fetch method";
  if (value === null) return "its default export is null";
  if (typeof value !== "object") return `its default export is ${typeof value}`;
  const keys = Object.keys(value);
  return `its default export has no fetch method${keys.length === 0 ? "" : `, only ${keys.slice(0, 10).join(", ")}`}`;
}
