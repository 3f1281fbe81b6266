// Joins the same large string many times over.
export default {
  fetch() {
    const part = "0123456789abcdef".repeat(2 ** 18);
    const kept = [];
    for (;;) kept.push(new Array(100).fill(part).join(kept.length));
  },
};
