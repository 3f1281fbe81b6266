import { AutoRouter, error } from "itty-router";

const router = AutoRouter();

router
  .get("/hello/:name", ({ params }) => `Hello, ${params.name}!`)
  .get("/json", () => ({ list: [1, 2, 3] }))
  .post("/echo", async (request) => request.json())
  .get("/error", () => error(400, "bad"));

export default router;
