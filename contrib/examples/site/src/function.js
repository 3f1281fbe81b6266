// Asked for what is not a file in public/.
export default {
  fetch(request) {
    const { pathname } = new URL(request.url);
    if (pathname === "/api/time") return Response.json({ now: new Date() });
    return new Response("not found\n", { status: 404 });
  },
};
