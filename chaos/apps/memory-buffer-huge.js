// Asks for buffers of gigabytes and terabytes, and ignores the refusals.
export default {
  fetch() {
    const kept = [];
    for (let n = 28; n < 53; n++) {
      try {
        kept.push(new ArrayBuffer(2 ** n));
      } catch {}
      try {
        kept.push(new Float64Array(2 ** n));
      } catch {}
    }
    return new Response(`kept ${kept.length}`);
  },
};
