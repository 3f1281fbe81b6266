// Hashes 32 buffers at a time, each awaited, for two seconds after a request: no run of JavaScript takes long.
const data = new Uint8Array(1 << 20);
async function hash() {
  for (const end = Date.now() + 2000; Date.now() < end;) await crypto.subtle.digest("SHA-512", data);
}
export default {
  fetch(request, env, ctx) {
    for (let n = 0; n < 32; n++) ctx.waitUntil(hash());
    return new Response("hashing");
  },
};
