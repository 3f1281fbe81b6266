// Reads stacks and call sites for paths and for objects of the platform.
Error.prepareStackTrace = (e, sites) => sites;
export default {
  fetch() {
    const found = [];
    const look = (e) => {
      for (const s of [e.stack].flat()) {
        if (typeof s === "string") continue;
        const text = `${s.getFileName()} ${s.getEvalOrigin()} ${s.getScriptNameOrSourceURL()}`;
        if (/\/(srv|home|root|tmp|work)\//.test(text)) found.push(text);
        const f = s.getFunction(), self = s.getThis();
        if (self && self !== globalThis && self.post) found.push("native object");
        if (f?.name === "post") found.push("native function");
      }
    };
    look(new Error());
    new Response({ toString() { look(new Error()); return "x"; } });
    try { new URL(":"); } catch (e) { look(e); }
    return new Response(found.length ? "escaped " + found : "held");
  },
};
