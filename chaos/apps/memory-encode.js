// Encodes and decodes the same long string again and again, and keeps the bytes.
const kept = [];
export default {
  fetch() {
    const text = "é".repeat(2 ** 24);
    for (;;) {
      const bytes = new TextEncoder().encode(text);
      kept.push(bytes, new TextDecoder().decode(bytes), btoa("x".repeat(2 ** 22)));
    }
  },
};
