// Loops in waitUntil, after it has answered.
export default {
  fetch(request, env, ctx) {
    ctx.waitUntil(
      (async () => {
        await new Promise((r) => setTimeout(r, 5));
        for (;;);
      })(),
    );
    return new Response("answered");
  },
};
