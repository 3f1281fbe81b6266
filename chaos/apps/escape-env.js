// Looks for the other apps' environment and writes to its own.
export default {
  fetch(request, env) {
    const before = JSON.stringify(env);
    env.VICTIM = "stolen";
    env.__proto__.VICTIM = "stolen";
    return new Response(before.includes("victim's secret") || typeof process?.env?.HOME === "string" ? "escaped " + before : "held");
  },
};
globalThis.process ??= undefined;
