// A small handler in a bundle of 500 KB, of which it uses little: the cold start
// of an app with real dependencies.
import * as dates from "date-fns";
import { createElement } from "react";
import * as server from "react-dom/server.edge";

const libraries = { dates, server };

export default {
  fetch(request) {
    const { pathname } = new URL(request.url);
    const day = libraries.dates.formatISO(0, { representation: "date" });
    const page = createElement("p", { lang: "en" }, `Hello from ${pathname}, long after ${day}`);
    return new Response(libraries.server.renderToString(page), { headers: { "content-type": "text/html" } });
  },
};
