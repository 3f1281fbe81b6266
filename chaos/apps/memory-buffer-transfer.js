// Grows one buffer through transfer, a copy at each step.
export default {
  fetch() {
    let b = new ArrayBuffer(1024);
    for (;;) b = b.transfer(b.byteLength * 2);
  },
};
