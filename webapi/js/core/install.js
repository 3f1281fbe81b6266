// install puts the core's part of the web platform on the global and answers dispatch, which takes Go's messages.
import { expose, exposeOperations, exposeReplaceable } from "../lib/idl.js";
import { Cache, CacheStorage, caches } from "./cache.js";
import { console } from "./console.js";
import { FetchEvent } from "./execution.js";
import { fetch } from "./fetch.js";
import { Headers } from "./headers.js";
import { installHooks } from "./hooks.js";
import { dispatch } from "./kernel.js";
import { Request } from "./request.js";
import { Response } from "./response.js";
import "./shown.js";
import { clearInterval, clearTimeout, queueMicrotask, setInterval, setTimeout } from "./timers.js";

export function install() {
  expose({ Cache, CacheStorage, Headers, Request, Response, FetchEvent, console });
  exposeReplaceable("caches", () => caches);
  exposeOperations({ clearInterval, clearTimeout, fetch, queueMicrotask, setInterval, setTimeout });
  installHooks();
  return dispatch;
}
