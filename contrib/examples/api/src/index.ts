import { Hono } from "hono";
import { logger } from "hono/logger";

interface Book {
  id: number;
  title: string;
}

// What a module keeps lives as long as its isolate: until the app is changed, or sleeps.
const books = new Map<number, Book>([[1, { id: 1, title: "The Practice of Programming" }]]);

const app = new Hono();

app.use(logger());

app.get("/books", (c) => c.json([...books.values()]));

app.get("/books/:id", (c) => {
  const book = books.get(Number(c.req.param("id")));
  return book ? c.json(book) : c.json({ error: "no such book" }, 404);
});

app.post("/books", async (c) => {
  const { title } = await c.req.json<{ title?: string }>();
  if (!title) return c.json({ error: "a book has a title" }, 400);
  const book = { id: books.size + 1, title };
  books.set(book.id, book);
  return c.json(book, 201, { location: `/books/${book.id}` });
});

app.get("/events", () => {
  let n = 0;
  const stream = new ReadableStream<Uint8Array>({
    async pull(controller) {
      controller.enqueue(new TextEncoder().encode(`data: ${++n}\n\n`));
      if (n === 5) controller.close();
      await new Promise((resolve) => setTimeout(resolve, 200));
    },
  });
  return new Response(stream, { headers: { "content-type": "text/event-stream" } });
});

export default app;
