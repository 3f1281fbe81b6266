// Feeds structuredClone, and the platform's classes, objects that lie about what they are.
const liars = [
  () => structuredClone({ get a() { throw 1; } }),
  () => structuredClone(new Proxy({}, {})),
  () => structuredClone(new Uint8Array(8), { transfer: [new ArrayBuffer(8, { maxByteLength: 64 })] }),
  () => { const b = new ArrayBuffer(8); structuredClone([b], { transfer: [b, b] }); },
  () => { const b = new ArrayBuffer(64); const o = [b, { get x() { b.transfer(); return 1; } }]; structuredClone(o, { transfer: [b] }); },
  () => Response.prototype.text.call({}),
  () => Reflect.construct(Headers, [], Object),
  () => Object.getOwnPropertyDescriptor(Request.prototype, "url").get.call(Object.create(Request.prototype)),
  () => TextDecoder.prototype.decode.call(new TextDecoder(), new Uint8Array(new ArrayBuffer(8, { maxByteLength: 16 }))),
  () => { const b = new ArrayBuffer(8, { maxByteLength: 64 }); const v = new Uint8Array(b, 4); b.resize(2); return new TextDecoder().decode(v) + new Response(v).text(); },
  () => { const w = new Uint8Array(8); w.buffer.transfer(); crypto.getRandomValues(w); return new TextEncoder().encodeInto("abc", w); },
  () => crypto.getRandomValues(new Float64Array(4)),
];
export default {
  async fetch() {
    for (const lie of liars) {
      try {
        await lie();
      } catch {}
    }
    return new Response("held");
  },
};
