// Streams zeros for ever, whether anybody reads or not.
export default {
  fetch: () => new Response(new ReadableStream({ pull: (c) => c.enqueue(new Uint8Array(1 << 16)) })),
};
