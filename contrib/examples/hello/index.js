export default {
  async fetch(request, env) {
    const url = new URL(request.url);
    return new Response(`${env.GREETING}, ${url.hostname}${url.pathname}\n`);
  },
};
