// Answers with ten thousand headers.
export default {
  fetch() {
    const h = new Headers();
    for (let n = 0; n < 10_000; n++) h.append("x-" + n, "v".repeat(100));
    return new Response("answered", { headers: h });
  },
};
