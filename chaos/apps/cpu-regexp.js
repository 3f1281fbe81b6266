// Runs a regular expression that backtracks for longer than the universe is old.
export default { fetch: () => new Response(/^(a+)+$/.test("a".repeat(200) + "b")) };
