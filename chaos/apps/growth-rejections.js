// Rejects ten thousand promises that nobody listens to.
export default {
  fetch() {
    for (let n = 0; n < 10_000; n++) Promise.reject(new Error("x".repeat(1000)));
    return new Response("answered");
  },
};
