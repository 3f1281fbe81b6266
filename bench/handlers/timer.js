// Waits 5 ms, as for a database next door.
export default {
  async fetch() {
    await new Promise((resolve) => setTimeout(resolve, 5));
    return new Response("waited\n");
  },
};
