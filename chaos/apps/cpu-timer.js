// Loops in a timer that nobody waits for.
export default {
  fetch() {
    setTimeout(() => {
      for (;;);
    }, 1);
    return new Response("answered");
  },
};
