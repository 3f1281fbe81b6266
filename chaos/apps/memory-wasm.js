// Makes WebAssembly memories of a gigabyte and touches every page.
const kept = [];
export default {
  fetch() {
    for (;;) {
      const m = new WebAssembly.Memory({ initial: 1024, maximum: 65536 });
      kept.push(m);
      new Uint8Array(m.buffer).fill(1);
    }
  },
};
