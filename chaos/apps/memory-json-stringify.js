// Writes an object as JSON whose text is exponentially longer than the object.
export default {
  fetch() {
    let o = { text: "x".repeat(1000) };
    for (let n = 0; n < 40; n++) o = { a: o, b: o };
    return new Response(JSON.stringify(o).length);
  },
};
