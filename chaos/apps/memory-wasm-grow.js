// Grows a WebAssembly memory from JavaScript, and writes to what it gets.
const m = new WebAssembly.Memory({ initial: 1, maximum: 65536 });
export default {
  fetch() {
    for (;;) {
      m.grow(256);
      new Uint8Array(m.buffer).fill(1);
    }
  },
};
