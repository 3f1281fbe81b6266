// Replaces methods that the platform itself uses, to see what passes through them.
const seen = [];
const spy = (o, name) => {
  const f = o[name];
  try {
    o[name] = function (...a) {
      seen.push(String(this), ...a.map((v) => typeof v));
      return f.apply(this, a);
    };
  } catch {}
};
for (const name of ["push", "shift", "map", "forEach", "join"]) spy(Array.prototype, name);
for (const name of ["split", "indexOf", "slice", "toLowerCase"]) spy(String.prototype, name);
for (const name of ["get", "set", "has", "delete"]) spy(Map.prototype, name);
export default {
  fetch() {
    const found = seen.some((s) => s.includes("victim"));
    seen.length = 0;
    return new Response(found ? "escaped" : "held");
  },
};
