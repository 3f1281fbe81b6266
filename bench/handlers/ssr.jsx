// A page of about 20 KB, rendered by React on the server for every request.
import { renderToString } from "react-dom/server.edge";

const rows = Array.from({ length: 88 }, (_, i) => ({
  id: i + 1,
  name: `Product ${i + 1}`,
  price: ((i * 37) % 100) + 0.99,
  stock: (i * 13) % 50,
  tags: ["new", "sale", "green", "classic"].slice(0, (i % 4) + 1),
}));

function Tag({ name }) {
  return <li className="tag">{name}</li>;
}

function Row({ product, path }) {
  return (
    <tr className={product.stock === 0 ? "sold-out" : "in-stock"} data-id={product.id}>
      <td>
        <a href={`${path}/${product.id}`}>{product.name}</a>
      </td>
      <td style={{ textAlign: "right" }}>{product.price.toFixed(2)} €</td>
      <td>{product.stock > 0 ? `${product.stock} left` : "sold out"}</td>
      <td>
        <ul>
          {product.tags.map((tag) => (
            <Tag key={tag} name={tag} />
          ))}
        </ul>
      </td>
    </tr>
  );
}

function Page({ path }) {
  return (
    <html lang="en">
      <head>
        <title>{`Shop: ${path}`}</title>
        <meta name="viewport" content="width=device-width" />
      </head>
      <body>
        <h1>Products &amp; prices</h1>
        <table>
          <tbody>
            {rows.map((product) => (
              <Row key={product.id} product={product} path={path} />
            ))}
          </tbody>
        </table>
      </body>
    </html>
  );
}

export default {
  fetch(request) {
    const { pathname } = new URL(request.url);
    return new Response("<!doctype html>" + renderToString(<Page path={pathname} />), {
      headers: { "content-type": "text/html; charset=utf-8" },
    });
  },
};
