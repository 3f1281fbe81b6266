// A small handler in a large bundle, all of it kept: the cold start of an app
// with real dependencies.
import * as dates from "date-fns";
import * as schema from "zod";

const libraries = { dates, schema };
const Query = schema.object({ path: schema.string().min(1) });

export default {
  fetch(request) {
    const { path } = Query.parse({ path: new URL(request.url).pathname });
    const names = Object.keys(libraries).length;
    return new Response(`Hello from ${path}, ${names} libraries, ${dates.formatISO(0, { representation: "date" }).length}\n`);
  },
};
