// Allocates in a loop that the compiler leaves without a stack check: it never sees its termination.
const kept = [];
export default {
  fetch() {
    for (let n = 0; ; n++) {
      const block = new Array(1000).fill(n);
      kept.push(block);
    }
  },
};
