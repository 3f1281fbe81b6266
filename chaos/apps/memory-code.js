// Compiles new functions for ever and keeps them.
const kept = [];
export default {
  fetch() {
    for (let n = 0; ; n++) {
      const f = new Function("a", `const v${n} = [${"a + 1, ".repeat(2000)}]; return v${n}.length;`);
      f(n);
      kept.push(f);
    }
  },
};
