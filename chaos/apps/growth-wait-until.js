// Gives waitUntil a hundred thousand promises that never settle.
export default {
  fetch(request, env, ctx) {
    for (let n = 0; n < 100_000; n++) ctx.waitUntil(new Promise(() => {}));
    return new Response("answered");
  },
};
