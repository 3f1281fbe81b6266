// Asks a service on the same machine and passes on part of what it said.
// UPSTREAM is put in by the bundler: the same literal for every stack.
export default {
  async fetch() {
    const response = await fetch(UPSTREAM);
    if (!response.ok) return new Response("upstream failed\n", { status: 502 });
    const data = await response.json();
    return Response.json({ name: data.name, count: data.items.length });
  },
};
