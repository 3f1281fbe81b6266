// Tees the request's body again and again, and reads one side only.
export default {
  async fetch(request) {
    let body = request.body ?? new Response(new Uint8Array(1 << 20)).body;
    for (let n = 0; n < 1000; n++) body = body.tee()[0];
    let read = 0;
    for await (const chunk of body) read += chunk.length;
    return new Response(`read ${read}`);
  },
};
