// Catches its own termination, or tries to, and goes on.
export default {
  fetch() {
    for (;;) {
      try {
        for (;;);
      } catch {
        continue;
      }
    }
  },
};
