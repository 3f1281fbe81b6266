// Calls functions of the engine that go through 2^53 elements without asking whether they may.
export default {
  fetch(request) {
    const endless = { length: 2 ** 53 - 1 };
    if (request.method === "GET") return new Response(Array.prototype.indexOf.call(endless, 1));
    return new Response(Array.prototype.lastIndexOf.call(new Proxy(endless, {}), 1));
  },
};
