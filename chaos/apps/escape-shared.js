// Looks for memory that another app filled: fresh buffers, blobs and strings must be blank.
export default {
  fetch() {
    for (let n = 0; n < 50; n++) {
      const b = new Uint8Array(1 << 16);
      if (b.some((v) => v !== 0)) return new Response("escaped: a buffer was not blank");
      b.fill(0xee);
      const w = new Uint8Array(new SharedArrayBuffer(1 << 16));
      if (w.some((v) => v !== 0)) return new Response("escaped: a shared buffer was not blank");
      w.fill(0xee);
    }
    return new Response("held");
  },
};
