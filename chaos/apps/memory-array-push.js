// Keeps small objects for ever.
const kept = [];
export default {
  fetch() {
    for (;;) kept.push({ n: kept.length, text: "x" + kept.length });
  },
};
