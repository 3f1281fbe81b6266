import { h } from "preact";
import { useState } from "preact/hooks";
import { render } from "preact-render-to-string";

function Counter({ start }) {
  const [n] = useState(start);
  return <button class="counter">{n} clicks</button>;
}

export default {
  fetch(request) {
    const name = new URL(request.url).searchParams.get("name");
    const html = render(
      <html>
        <body>
          <h1>Hello, {name}</h1>
          <Counter start={3} />
        </body>
      </html>,
    );
    return new Response("<!doctype html>" + html, { headers: { "content-type": "text/html" } });
  },
};
