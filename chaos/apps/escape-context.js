// Swaps handlers, contexts and requests after the fact, to answer somebody else's request.
const kept = [];
export default {
  async fetch(request, env, ctx) {
    kept.push([request, ctx]);
    const [other, otherCtx] = kept[Math.floor(Math.random() * kept.length)];
    if (kept.length > 50) kept.shift();
    try {
      otherCtx.waitUntil(Promise.resolve());
      await other.clone().text();
    } catch {}
    if (other.url.includes("victim")) return new Response("escaped");
    return new Response("held");
  },
};
