interface Env {
  GREETING?: string;
}

export default {
  async fetch(request: Request, env: Env): Promise<Response> {
    const url = new URL(request.url);
    if (url.pathname === "/time") {
      return Response.json({ now: new Date().toISOString() });
    }
    const name = url.searchParams.get("name") ?? "world";
    return new Response(`${env.GREETING ?? "Hello"}, ${name}!\n`);
  },
};
