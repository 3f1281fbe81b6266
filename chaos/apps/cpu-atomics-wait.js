// Blocks its thread in Atomics.wait, where nothing can interrupt it.
export default {
  fetch() {
    return new Response(Atomics.wait(new Int32Array(new SharedArrayBuffer(8)), 0, 0, 60_000));
  },
};
