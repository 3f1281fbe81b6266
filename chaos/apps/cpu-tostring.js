// Throws what loops when it is printed.
export default {
  fetch() {
    const loop = () => {
      for (;;);
    };
    throw { toString: loop, valueOf: loop, get stack() { return loop(); }, get message() { return loop(); } };
  },
};
