// Keeps array buffers of one mebibyte, outside of the heap.
const kept = [];
export default {
  fetch() {
    for (;;) kept.push(new Uint8Array(1 << 20).fill(1));
  },
};
