// Squares a big integer until there is no room for it.
const kept = [];
export default {
  fetch() {
    for (let n = 3n ** 1000n; ; n *= n) kept.push(n);
  },
};
