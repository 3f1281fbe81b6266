// Returns everything but a Response: the client must get an answer by the book.
let n = 0;
const revoked = Proxy.revocable({}, {});
revoked.revoke();
class Mine extends Response {
  get headers() { throw new Error("no headers"); }
  get body() { return 42; }
}
const used = new Response("used");
used.text();
const values = [
  () => null, () => undefined, () => 42, () => "text", () => Symbol("s"), () => 10n, () => ({}), () => [], () => new Date(),
  () => revoked.proxy, () => new Proxy(new Response("x"), {}), () => new Mine("x"), () => used, () => Object.create(Response.prototype),
  () => ({ then: 1 }), () => ({ then(r) { r(null); r(1); throw 1; } }), () => ({ get then() { throw new Error("then"); } }),
  () => ({ status: 200, headers: {}, body: "x" }), () => new Promise((_, r) => r()), () => { throw null; }, () => { throw undefined; },
  () => { throw revoked.proxy; }, () => new Request("http://a/"), () => Response, () => globalThis, () => Response.error(),
];
export default { fetch: () => values[n++ % values.length]() };
