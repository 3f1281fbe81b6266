// Answers with a Proxy whose traps never return.
export default {
  fetch() {
    const loop = () => {
      for (;;);
    };
    return new Proxy({}, { get: loop, has: loop, getPrototypeOf: loop, ownKeys: loop });
  },
};
