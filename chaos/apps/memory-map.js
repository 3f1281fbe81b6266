// Lets a Map and a Set grow for ever.
const map = new Map();
const set = new Set();
export default {
  fetch() {
    for (let n = 0; ; n++) {
      map.set(n, n + 0.5);
      set.add("k" + n);
    }
  },
};
