// Waits for a timer and streams its answer, as plain apps do.
export default {
  async fetch(request) {
    const nonce = await request.text();
    await new Promise((r) => setTimeout(r, 1));
    const parts = ["quiet", " ", nonce];
    return new Response(
      new ReadableStream({
        pull(c) {
          if (parts.length === 0) return c.close();
          c.enqueue(new TextEncoder().encode(parts.shift()));
        },
      }),
    );
  },
};
