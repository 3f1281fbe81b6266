// Awaits an async generator that never ends.
async function* endless() {
  for (;;) yield 1;
}
export default {
  async fetch() {
    for await (const _ of endless());
  },
};
