// Catches every refusal of memory and asks for half as much, for ever.
const kept = [];
export default {
  fetch() {
    for (let size = 2 ** 30; ; ) {
      try {
        kept.push(new Uint8Array(size).fill(1));
      } catch {
        size = Math.max(size >> 1, 1);
      }
    }
  },
};
