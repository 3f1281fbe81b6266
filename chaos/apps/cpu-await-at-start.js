// Waits at top level for what never comes.
await new Promise(() => {});
export default { fetch: () => new Response("loaded") };
