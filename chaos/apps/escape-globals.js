// Leaves its mark on every global object and prototype, for others to find.
for (const name of Object.getOwnPropertyNames(globalThis)) {
  for (const o of [globalThis[name], globalThis[name]?.prototype]) {
    try {
      o.escaped = "escape-globals";
    } catch {}
  }
}
globalThis.escaped = Object.prototype.escaped = "escape-globals";
export default { fetch: () => new Response("held") };
