// Loops in finally, where the termination would unwind through.
export default {
  fetch() {
    try {
      for (;;);
    } finally {
      for (;;);
    }
  },
};
