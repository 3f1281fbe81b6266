// Keeps two-byte strings, made by upper case, padding and replacement.
const kept = [];
export default {
  fetch() {
    for (let n = 0; ; n++) {
      const s = "ﬄ".padStart(2 ** 22, "ŉß" + n);
      kept.push(s.toUpperCase(), s.replaceAll("ß", "ẞẞẞ"));
    }
  },
};
