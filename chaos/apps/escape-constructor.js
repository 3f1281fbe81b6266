// Climbs from every object of the platform to a Function constructor, for another realm's globals.
export default {
  fetch(request, env, ctx) {
    for (const o of [request, env, ctx, request.headers, request.signal, fetch, Response, crypto.subtle, console, new URL("a:b")]) {
      const F = o.constructor.constructor;
      const g = (typeof F === "function" && F !== Object ? F : Function)("return globalThis")();
      if (g !== globalThis) return new Response("escaped");
    }
    return new Response("held");
  },
};
