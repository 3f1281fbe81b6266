// Hooks Promise.prototype.then and Object.prototype setters to catch values of other requests.
let found = false;
const then = Promise.prototype.then;
Promise.prototype.then = function (f, r) {
  return then.call(this, f && ((v) => {
    if (String(v?.url).includes("victim")) found = true;
    return f(v);
  }), r);
};
for (const name of ["then", "status", "headers", "body"]) {
  Object.defineProperty(Object.prototype, name, { configurable: true, set() {}, get: () => undefined });
}
export default { fetch: () => new Response(found ? "escaped" : "held") };
