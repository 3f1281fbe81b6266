// V8 compiles a function when it is first called, and a snapshot keeps what was compiled. So what nearly every request
// does is done once before the snapshot is taken, with a stand-in for the bridge: the first request of an app finds it
// ready. Nothing of it may stay behind but the compiled code.

import { IN_LOAD, IN_REQUEST, IN_RESULT } from "./core/ops.js";
import { bridge, standIn } from "./native.js";

// ticks is how many turns of the microtask queue the rehearsal may take. The bridge runs them after the evaluation.
const ticks = 100;

export function rehearse(dispatch) {
  let context;
  standIn({
    ...bridge,
    post() {},
    blame() {},
    random() {},
    now: () => 0,
    setContext(value) { context = value; },
    getContext: () => context,
  });
  let end = Promise.resolve();
  for (let i = 0; i < ticks; i++) end = end.then(() => {});
  end.then(() => standIn(undefined));

  dispatch(IN_LOAD, 0, { default: { fetch: handler } }, '{"A":"b"}', "");
  const headers = "host\nexample.com\naccept\n*/*\n";
  dispatch(IN_REQUEST, 1, "GET", "http://example.com/a/b?c=d", headers, undefined);
  dispatch(IN_REQUEST, 2, "POST", "http://example.com/text", headers, new Uint8Array(1));
}

async function handler(request) {
  const url = new URL(request.url);
  if (request.method === "POST") return new Response(await request.text());
  const { pathname, search, hostname, protocol, origin, searchParams } = url;
  searchParams.get("c");
  request.headers.get("host");
  return new Response(`${pathname}${search}${hostname}${protocol}${origin}`, { headers: { "x-a": "b" } });
}
