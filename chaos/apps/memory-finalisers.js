// Registers finalisers and weak references without end: they never run, and must not stay.
const registry = new FinalizationRegistry(() => {});
const kept = [];
export default {
  fetch() {
    for (let n = 0; ; n++) {
      const o = { n };
      registry.register(o, { held: "x" + n });
      kept.push(new WeakRef(o));
    }
  },
};
