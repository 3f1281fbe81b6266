// Spreads an array without end into another, and into arguments.
export default {
  fetch() {
    let a = [1.5, 2.5];
    for (;;) {
      a = [...a, ...a, ...a];
      try {
        Math.max(...a);
      } catch {}
    }
  },
};
