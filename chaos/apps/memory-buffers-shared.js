// Keeps shared array buffers.
const kept = [];
export default {
  fetch() {
    for (;;) kept.push(new Uint8Array(new SharedArrayBuffer(4 << 20)).fill(1));
  },
};
