// Keeps errors with long stacks, and stacks of stacks.
Error.stackTraceLimit = 1000;
const kept = [];
const deep = (n) => (n ? deep(n - 1) : kept.push(new Error("x".repeat(1000), { cause: kept.at(-1) }).stack));
export default {
  fetch() {
    for (;;) deep(500);
  },
};
