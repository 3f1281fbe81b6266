// Throws an error whose message has ten megabytes.
export default {
  fetch() {
    throw new Error("secret ".repeat(1_500_000));
  },
};
