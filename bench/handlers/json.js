// A JSON API: parses an order of about 2 KB, checks and prices it, answers with
// about 2 KB.
const price = (line) => Math.round(line.price * line.quantity * (1 - (line.discount ?? 0)));

export default {
  async fetch(request) {
    const url = new URL(request.url);
    if (request.method !== "POST" || url.pathname !== "/orders") {
      return new Response("no such resource\n", { status: 404 });
    }
    if (!request.headers.get("content-type")?.startsWith("application/json")) {
      return new Response("send JSON\n", { status: 415 });
    }
    const order = await request.json();
    const lines = order.lines.map((line) => ({ ...line, amount: price(line) }));
    const total = lines.reduce((sum, line) => sum + line.amount, 0);
    return Response.json(
      { id: order.id, customer: order.customer.name, lines, total, currency: order.currency },
      { status: 201, headers: { "cache-control": "no-store", location: `/orders/${order.id}` } },
    );
  },
};
