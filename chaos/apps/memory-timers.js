// Allocates a mebibyte in each tick of a timer, long after it has answered.
const kept = [];
setInterval(() => kept.push(new Array(100_000).fill(0.5), new Uint8Array(1 << 18).fill(1)), 1);
export default { fetch: () => new Response(`kept ${kept.length}`) };
