// Answers with statuses that break the protocol: informational, too small, too large, not a number.
let n = 0;
const statuses = [100, 101, 103, 199, 204, 205, 304, 0, 99, 600, 999, 1000, -1, NaN, "200", 200.5, 2 ** 32 + 200];
export default {
  fetch() {
    const status = statuses[n++ % statuses.length];
    const answer = new Response(null);
    try {
      return new Response(n % 2 ? "held" : null, { status });
    } catch {
      Object.defineProperty(answer, "status", { value: status });
      return answer;
    }
  },
};
