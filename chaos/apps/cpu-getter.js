// Loops in a getter that the platform reads.
export default {
  fetch() {
    return new Response("x", {
      get status() {
        for (;;);
      },
    });
  },
};
