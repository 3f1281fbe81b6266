// Sends a head, and then nothing, for ever.
export default { fetch: () => new Response(new ReadableStream({ pull: () => new Promise(() => {}) })) };
