// Makes blobs and form data of blobs, and reads them back.
const kept = [];
export default {
  async fetch() {
    for (;;) {
      const form = new FormData();
      form.append("file", new Blob(Array(64).fill(new Uint8Array(1 << 14))), "name");
      kept.push(await new Response(form).arrayBuffer());
    }
  },
};
