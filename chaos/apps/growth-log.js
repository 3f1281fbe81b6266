// Floods the log: ten thousand lines a request.
export default {
  fetch() {
    for (let n = 0; n < 10_000; n++) console.log("line", n, "x".repeat(100));
    return new Response("answered");
  },
};
