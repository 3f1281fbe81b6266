// Loops in the pull of a response's stream, once the head is out.
export default {
  fetch() {
    let pulls = 0;
    return new Response(
      new ReadableStream({
        pull(c) {
          if (pulls++ < 3) return c.enqueue(new Uint8Array(10));
          for (;;);
        },
      }),
    );
  },
};
