// Allocates a little in each of endlessly many microtasks.
const kept = [];
export default {
  async fetch() {
    for (;;) {
      kept.push(new Array(1000).fill(0.5));
      await null;
    }
  },
};
