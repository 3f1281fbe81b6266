// Logs one line of fifty megabytes, and one with every byte.
export default {
  fetch() {
    console.error("x".repeat(50_000_000));
    console.log(String.fromCharCode(...Array(300).keys()), "\u001b[2J\n<0>kernel: forged\n");
    return new Response("answered");
  },
};
