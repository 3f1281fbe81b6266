// Loops while V8 prepares the stack of an error for the log.
Error.prepareStackTrace = () => {
  for (;;);
};
export default {
  fetch() {
    null.x;
  },
};
