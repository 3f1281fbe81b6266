// Loops in the listener that hears of the client's leaving.
export default {
  fetch(request) {
    request.signal.addEventListener("abort", () => {
      for (;;);
    });
    return new Promise(() => {});
  },
};
