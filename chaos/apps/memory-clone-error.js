// Clones an error whose cause names one text very often: V8 writes it out each time, outside of the heap.
export default {
  fetch() {
    const text = "x".repeat(20 << 20);
    return new Response(String(structuredClone(new Error("a", { cause: Array(200_000).fill(text) }))));
  },
};
