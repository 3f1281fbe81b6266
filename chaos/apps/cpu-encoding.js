// Converts the same megabytes between strings and bytes, inside the engine.
export default {
  fetch() {
    const text = "é中😀".repeat(1_000_000);
    for (;;) new TextDecoder().decode(new TextEncoder().encode(text));
  },
};
