// Spreads a generator that never ends and keeps nothing.
function* endless() {
  try {
    for (;;) yield;
  } finally {
    yield* endless();
  }
}
export default {
  fetch() {
    for (const _ of endless());
  },
};
