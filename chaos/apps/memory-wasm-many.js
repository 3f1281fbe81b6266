// Makes WebAssembly memories that are small, but each reserves gigabytes of addresses.
const kept = [];
export default {
  fetch() {
    let refused = 0;
    while (refused < 100) {
      try {
        kept.push(new WebAssembly.Memory({ initial: 1, maximum: 65536 }));
      } catch {
        refused++;
      }
    }
    return new Response(`kept ${kept.length}`);
  },
};
