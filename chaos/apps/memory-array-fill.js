// Fills an array that is larger than the heap in one call.
export default { fetch: () => new Response(new Array(2 ** 27).fill(0).length) };
