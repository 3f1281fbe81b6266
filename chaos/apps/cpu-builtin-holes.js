// Goes through the four billion holes of a sparse array.
export default {
  fetch() {
    const a = [];
    a.length = 2 ** 32 - 1;
    a[5] = 1;
    return new Response(a.includes(7) + a.reverse().length + a.join("").length);
  },
};
