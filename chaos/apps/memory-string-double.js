// Doubles a string until V8 refuses, again and again, and keeps them all.
const kept = [];
export default {
  fetch() {
    for (;;) {
      let s = "x" + kept.length;
      try {
        for (;;) s += s;
      } catch {
        kept.push(s);
      }
    }
  },
};
