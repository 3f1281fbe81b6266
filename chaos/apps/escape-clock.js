// Looks for a clock finer than a microsecond.
export default {
  fetch() {
    let finest = Infinity;
    for (let n = 0, last = performance.now(); n < 10_000; n++) {
      const now = performance.now();
      if (now > last) finest = Math.min(finest, now - last);
      last = now;
    }
    return new Response(finest < 0.0009 ? `escaped: ${finest} ms` : "held");
  },
};
