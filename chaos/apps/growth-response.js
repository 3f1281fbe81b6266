// Answers with as many bytes as it may hold.
export default { fetch: () => new Response(new Uint8Array(60 << 20)) };
