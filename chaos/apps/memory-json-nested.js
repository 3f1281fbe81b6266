// Parses JSON that is a hundred thousand levels deep, and a list of fifty million numbers.
export default {
  fetch() {
    try {
      JSON.parse("[".repeat(100_000) + "]".repeat(100_000));
    } catch {}
    const list = JSON.parse("[" + "1.5,".repeat(50_000_000) + "1]");
    return new Response(list.length);
  },
};
