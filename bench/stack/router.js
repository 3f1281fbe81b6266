// Picks the service by the Host header: what workerd leaves to its user.
export default {
  fetch(request, env) {
    const service = env[request.headers.get("host")];
    return service ? service.fetch(request) : new Response("no such host\n", { status: 404 });
  },
};
