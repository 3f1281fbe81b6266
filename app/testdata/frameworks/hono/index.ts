import { Hono } from "hono";
import { cors } from "hono/cors";
import { getCookie, setCookie } from "hono/cookie";
import { streamSSE } from "hono/streaming";
import { HTTPException } from "hono/http-exception";
import { validator } from "hono/validator";

const app = new Hono<{ Bindings: { GREETING: string } }>();

app.use("/api/*", cors());
app.get("/", (c) => c.text(`${c.env.GREETING} ${c.req.query("name") ?? "nobody"}`));
app.get("/api/user/:id", (c) => c.json({ id: c.req.param("id"), agent: c.req.header("x-agent") }));
app.get("/cookie", (c) => {
  setCookie(c, "seen", String(Number(getCookie(c, "seen") ?? 0) + 1), { path: "/" });
  return c.body(null, 204);
});
app.post("/form", validator("form", (v) => v), (c) => c.json(c.req.valid("form")));
app.get("/events", (c) =>
  streamSSE(c, async (stream) => {
    for (let id = 0; id < 3; id++) await stream.writeSSE({ data: `n ${id}`, id: String(id) });
  }),
);
app.get("/forbidden", () => {
  throw new HTTPException(403, { message: "no" });
});
app.notFound((c) => c.text("nothing here", 404));

export default app;
