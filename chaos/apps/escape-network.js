// Asks the machine itself for something: loopback, metadata service, private networks, in every notation.
const hosts = ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0", "0x7f.1", "2130706433", "127.1", "169.254.169.254", "[fd00:ec2::254]", "0"];
export default {
  async fetch(request) {
    const port = request.headers.get("x-port") ?? "80";
    const open = await Promise.all(hosts.map(async (h) => {
      try {
        const r = await fetch(`http://${h}:${port}/`, { headers: { host: "victim.test" }, signal: AbortSignal.timeout(1000) });
        return r.status ? h : "";
      } catch {
        return "";
      }
    }));
    const found = open.filter(Boolean);
    return new Response(found.length ? "escaped " + found : "held");
  },
};
