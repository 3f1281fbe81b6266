// Streams single bytes, each in a chunk of its own.
export default {
  fetch: () => new Response(new ReadableStream({ pull: (c) => c.enqueue(new Uint8Array(1)) })),
};
