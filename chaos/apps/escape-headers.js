// Splits responses with line breaks in header names, values, the status text, and cookies.
const nasty = ["a\r\nset-cookie: stolen=1", "a\nb", "a\rb", "a\0b", "a\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\nescaped"];
export default {
  fetch() {
    const h = new Headers();
    for (const v of nasty) {
      for (const pair of [["x-a", v], [v, "x"], ["set-cookie", v]]) {
        try {
          h.append(...pair);
        } catch {}
      }
      try {
        return new Response("held", { statusText: v, headers: h });
      } catch {}
    }
    return new Response("held", { headers: h });
  },
};
