// Runs a thousand intervals of a millisecond each.
for (let n = 0; n < 1000; n++) setInterval(() => Math.sqrt(n), 1);
export default { fetch: () => new Response("answered") };
