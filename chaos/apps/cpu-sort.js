// Sorts with a comparator that never ends.
export default {
  fetch() {
    new Array(1000).fill(1).sort(() => {
      for (;;);
    });
  },
};
