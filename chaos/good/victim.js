// Answers only while its world is as it was made: what others do must not show here.
const globals = Object.getOwnPropertyNames(globalThis).length;
let requests = 0;
export default {
  async fetch(request, env) {
    const odd = [];
    for (const key in {}) odd.push(`Object.prototype.${key}`);
    if ("escaped" in globalThis || "escaped" in Response) odd.push("escaped");
    if (Object.getOwnPropertyNames(globalThis).length !== globals) odd.push("globals");
    if (JSON.stringify(env) !== '{"SECRET":"victim\'s secret"}') odd.push(`env ${JSON.stringify(env)}`);
    const nonce = new URL(request.url).searchParams.get("nonce");
    if ((await request.text()) !== nonce || request.headers.get("x-nonce") !== nonce) odd.push("another's request");
    if (String(Promise.prototype.then).length > 60) odd.push("Promise.prototype.then");
    requests++;
    return new Response(odd.length ? `odd: ${odd}` : `victim ${nonce}`);
  },
};
