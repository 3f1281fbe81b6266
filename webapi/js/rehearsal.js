// V8 compiles a function when it is first called, and a snapshot keeps what was compiled. So what nearly every request
// does is done once before the snapshot is taken, with a stand-in for the bridge: the first request of an app finds it
// ready. Nothing of it may stay behind but the compiled code.

import { IN_ENV, IN_LOAD, IN_REQUEST, IN_TIMER, RESPOND } from "./core/ops.js";
import { bridge, standIn } from "./native.js";

// ticks is how many turns of the microtask queue the rehearsal may take. The bridge runs them after the evaluation.
const ticks = 100;

export function rehearse(dispatch) {
  let context;
  let answers = 0;
  standIn({
    ...bridge,
    post(op) {
      if (op === RESPOND) answers++;
    },
    blame() {},
    random() {},
    now: () => 0,
    setContext(value) { context = value; },
    getContext: () => context,
  });
  let end = Promise.resolve();
  for (let i = 0; i < ticks; i++) end = end.then(() => {});
  end.then(() => {
    standIn(undefined);
    if (answers !== 2) throw new Error(`the rehearsal was answered ${answers} times, not twice`);
  });

  dispatch(IN_ENV, 0, '{"A":"b"}', "", true);
  dispatch(IN_LOAD, 0, { default: { fetch: handler } });
  const headers = "host\nexample.com\naccept\n*/*\n";
  dispatch(IN_REQUEST, 1, "GET", "http://example.com/a/b?c=d", headers, undefined);
  dispatch(IN_REQUEST, 2, "POST", "http://example.com/json", headers, new Uint8Array([0x7b, 0x7d]));
  dispatch(IN_TIMER, setTimeout(() => {}, 1));
}

async function handler(request) {
  const url = new URL(request.url);
  for (const [name] of request.headers) request.headers.get(name);
  if (request.method === "POST") {
    const data = await request.json();
    return Response.json(data, { status: 201, headers: new Headers({ "x-a": "b" }) });
  }
  const { pathname, search, hostname, protocol, origin, searchParams } = url;
  searchParams.get("c");
  console.log("%s", pathname, 1);
  return new Response(`${search}${hostname}${protocol}${origin}`, { headers: { "x-a": "b" } });
}
