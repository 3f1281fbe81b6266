// Answers with a header of ten megabytes.
export default { fetch: () => new Response("answered", { headers: { "x-long": "v".repeat(10_000_000) } }) };
