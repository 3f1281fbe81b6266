// Reserves gigabytes in resizable buffers and lets them grow.
const kept = [];
export default {
  fetch() {
    for (let n = 0; n < 10_000; n++) {
      try {
        const b = new ArrayBuffer(0, { maxByteLength: 2 ** 30 });
        kept.push(b);
        for (let size = 0; ; size += 1 << 20) {
          b.resize(size);
          new Uint8Array(b).fill(1);
        }
      } catch {}
    }
    return new Response(`kept ${kept.length}`);
  },
};
