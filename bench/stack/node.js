// Serves a module's default export on Node: node node.js MODULE PORT.
import { serve } from "@hono/node-server";
import { pathToFileURL } from "node:url";

const [module, port] = process.argv.slice(2);
const app = (await import(pathToFileURL(module).href)).default;
serve({ fetch: (request) => app.fetch(request), hostname: "127.0.0.1", port: Number(port) });
