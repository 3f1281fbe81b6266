// Imports a name that leaves no room for a message about it.
export default {
  async fetch() {
    await import("x".repeat(2 ** 29 - 24));
    return new Response("imported");
  },
};
