// What stands behind a folder of static files: asked only for what is no file.
export default {
  fetch() {
    return new Response("no such page\n", { status: 404 });
  },
};
