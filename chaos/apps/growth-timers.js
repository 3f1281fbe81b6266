// Sets a hundred thousand timers with each request.
export default {
  fetch() {
    for (let n = 0; n < 100_000; n++) setTimeout(() => {}, 3_600_000 + n);
    return new Response("answered");
  },
};
