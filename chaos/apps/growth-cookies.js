// Sets a hundred thousand cookies.
export default {
  fetch() {
    const h = new Headers();
    for (let n = 0; n < 100_000; n++) h.append("set-cookie", `c${n}=${n}`);
    return new Response("answered", { headers: h });
  },
};
