// Sends endless bodies to addresses that never answer.
export default {
  fetch() {
    for (let n = 0; n < 200; n++) {
      const body = new ReadableStream({ pull: (c) => c.enqueue(new Uint8Array(1 << 16)) });
      fetch("http://192.0.2.1:9/", { method: "POST", body, duplex: "half" }).catch(() => {});
    }
    return new Response("answered");
  },
};
