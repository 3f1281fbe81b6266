// Sorts ten million numbers in one call of the engine.
export default { fetch: () => new Response(Float64Array.from({ length: 10_000_000 }, Math.random).sort()[0]) };
