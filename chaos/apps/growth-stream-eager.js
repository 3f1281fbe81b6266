// Puts all that it can into its stream at once, without waiting to be asked.
export default {
  fetch: () =>
    new Response(
      new ReadableStream({
        start(c) {
          for (;;) c.enqueue(new Uint8Array(1 << 16));
        },
      }),
    ),
};
