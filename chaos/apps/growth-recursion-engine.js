// Lets the engine recurse: through getters, toString, replace, sort, Proxies, JSON and regular expressions.
const tries = [
  () => {
    const o = { toString: () => "" + o };
    return "" + o;
  },
  () => {
    let p = {};
    for (let n = 0; n < 200_000; n++) p = new Proxy(p, {});
    return p.x;
  },
  () => {
    const again = () => "x".replace(/x/, again);
    return again();
  },
  () => new RegExp("(".repeat(100_000) + ")".repeat(100_000)).test("x"),
  () => eval("[".repeat(200_000) + "]".repeat(200_000)),
  () => eval("1" + "+1".repeat(500_000)),
  () => {
    let a = [];
    for (let n = 0; n < 200_000; n++) a = [a];
    return [a.flat(Infinity), String(a), structuredClone(a), JSON.stringify(a)];
  },
  () => {
    const f = (...a) => Reflect.construct(f.bind(...a), a);
    return f(1);
  },
];
export default {
  fetch() {
    let caught = 0;
    for (const t of tries) {
      try {
        t();
      } catch {
        caught++;
      }
    }
    return new Response(`caught ${caught}`);
  },
};
