// Gives one object properties without end.
const big = {};
export default {
  fetch() {
    for (let n = 0; ; n++) big["property" + n] = Symbol(n);
  },
};
