// 1 MiB of bytes that the app has in memory.
const body = new Uint8Array(1 << 20).map((_, i) => 32 + ((i * 7) % 90));

export default {
  fetch() {
    return new Response(body, { headers: { "content-type": "application/octet-stream" } });
  },
};
