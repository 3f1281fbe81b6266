import { Suspense, use } from "react";
import { renderToReadableStream } from "react-dom/server";

function Slow({ data }: { data: Promise<string> }) {
  return <p>{use(data)}</p>;
}

export default {
  async fetch(request: Request): Promise<Response> {
    const data = new Promise<string>((resolve) => setTimeout(resolve, 5, "later"));
    const stream = await renderToReadableStream(
      <html>
        <body>
          <h1>{new URL(request.url).pathname}</h1>
          <Suspense fallback={<p>loading</p>}>
            <Slow data={data} />
          </Suspense>
        </body>
      </html>,
    );
    return new Response(stream, { headers: { "content-type": "text/html" } });
  },
};
