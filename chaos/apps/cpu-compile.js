// Compiles a program of megabytes in one call.
export default {
  fetch() {
    const f = new Function("let s = 0;" + "s += Math.sin(s) * 3; if (s > 5) { s = [s, s].length }".repeat(200_000) + "return s");
    return new Response(f());
  },
};
