// Clones a structure that doubles at every step: the serialised form is outside of the heap.
export default {
  fetch() {
    let o = [new Uint8Array(1 << 16), "x".repeat(1 << 16)];
    for (;;) o = structuredClone([o, structuredClone(o)]);
  },
};
