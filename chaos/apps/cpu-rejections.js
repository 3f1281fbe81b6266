// Loops in the listener for unhandled rejections.
addEventListener("unhandledrejection", () => {
  for (;;);
});
export default {
  fetch() {
    Promise.reject(new Error("nobody listens"));
    return new Response("answered");
  },
};
