// Loops when its stream is cancelled.
export default {
  fetch() {
    return new Response(
      new ReadableStream({
        pull: (c) => c.enqueue(new Uint8Array(100_000)),
        cancel() {
          for (;;);
        },
      }),
    );
  },
};
