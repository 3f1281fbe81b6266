// Normalises and compares strings of millions of combining characters.
export default {
  fetch() {
    const s = "ạ̈".repeat(2 ** 21);
    for (;;) s.normalize("NFD").normalize("NFKC").localeCompare(s);
  },
};
