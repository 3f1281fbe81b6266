// Is too large before it has a handler: the bomb stands at the module's top level.
const kept = [];
for (;;) kept.push(new Array(10_000).fill(kept.length));
export default { fetch: () => new Response("loaded") };
