// Collects millions of matches of a regular expression.
export default {
  fetch() {
    const text = "ab".repeat(2 ** 26);
    const kept = [];
    for (;;) kept.push(text.match(/./g), [...text.matchAll(/(a)(b)/g)]);
  },
};
