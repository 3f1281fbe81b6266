// Parses and writes a large JSON text without a pause.
const text = JSON.stringify(Array.from({ length: 50_000 }, (_, n) => ({ n, s: "text " + n })));
export default {
  fetch() {
    for (;;) JSON.stringify(JSON.parse(text));
  },
};
