// Sends headers that contradict the body: lengths, encodings, connections, upgrades.
export default {
  fetch() {
    return new Response("held", {
      headers: {
        "content-length": "1", "transfer-encoding": "chunked, identity", connection: "upgrade, x", upgrade: "h2c",
        "keep-alive": "timeout=0", te: "trailers", trailer: "x-a", "proxy-connection": "close",
      },
    });
  },
};
