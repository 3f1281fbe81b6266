// Compiles WebAssembly modules for ever and keeps them.
const head = [0, 97, 115, 109, 1, 0, 0, 0, 1, 4, 1, 96, 0, 0];
const functions = 1000;
const leb = (n) => [(n & 127) | 128, n >> 7];
const code = new Uint8Array([
  ...head, 3, ...leb(functions + 2), ...leb(functions), ...new Array(functions).fill(0),
  10, ...leb(functions * 3 + 2), ...leb(functions), ...new Array(functions).fill([2, 0, 11]).flat(),
]);
const kept = [];
export default {
  fetch() {
    for (let n = 0; ; n++) {
      const name = [...String(n).padStart(8, "0")].map((c) => c.charCodeAt());
      const custom = [0, 9, 0, ...name];
      kept.push(new WebAssembly.Instance(new WebAssembly.Module(new Uint8Array([...code, ...custom]))));
    }
  },
};
