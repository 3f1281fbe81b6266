// Splits a string of 256 million characters into characters.
export default { fetch: () => new Response("x".repeat(2 ** 28).split("").length) };
