// What the modules of other runtimes that the bundler provides (cloudflare:workers, node:process, …) find on the
// global. Apps have no use for it.
import { ExecutionContext } from "./execution.js";

export function installHooks() {
  const context = new ExecutionContext(undefined);
  hook("waitUntil", (promise) => context.waitUntil(promise));
}

// installEnv is called before the app's modules run.
export function installEnv(env) {
  hook("env", env);
}

function hook(name, value) {
  Object.defineProperty(globalThis, Symbol.for(`nano.${name}`), { value, configurable: true });
}
