// The web platform of NANO: evaluated once, into the snapshot from which every isolate starts. The result is dispatch,
// which takes the messages from Go. While this runs nothing may be posted, no clock read and no random number drawn.

import "./lib/early.js";
import { install } from "./core/install.js";
import { atob, btoa } from "./lib/base64.js";
import { Blob, File } from "./lib/blob.js";
import { notCloneable, structuredClone } from "./lib/clone.js";
import { Crypto, CryptoKey, SubtleCrypto } from "./lib/crypto.js";
import { TextDecoder, TextDecoderStream, TextEncoder, TextEncoderStream } from "./lib/encoding.js";
import { Event } from "./lib/event.js";
import { CustomEvent, ErrorEvent, MessageEvent, PromiseRejectionEvent } from "./lib/events.js";
import { EventTarget } from "./lib/eventtarget.js";
import { FormData } from "./lib/formdata.js";
import { installGlobal } from "./lib/global.js";
import { expose, exposeOperations } from "./lib/idl.js";
import { MessageChannel, MessagePort } from "./lib/messaging.js";
import { Navigator } from "./lib/navigator.js";
import { Performance, PerformanceEntry, PerformanceMark, PerformanceMeasure } from "./lib/performance.js";
import { streamClasses } from "./lib/streams.js";
import { URLSearchParams } from "./lib/url/searchparams.js";
import { URL } from "./lib/url/url.js";
import { URLPattern } from "./lib/url/urlpattern.js";
import { installWasmStreaming } from "./lib/wasm.js";
import { rehearse } from "./rehearsal.js";

expose({
  Blob, File, FormData,
  CustomEvent, ErrorEvent, Event, EventTarget, MessageEvent, PromiseRejectionEvent,
  MessageChannel, MessagePort,
  Crypto, CryptoKey, SubtleCrypto,
  Navigator, Performance, PerformanceEntry, PerformanceMark, PerformanceMeasure,
  TextDecoder, TextDecoderStream, TextEncoder, TextEncoderStream,
  URL, URLPattern, URLSearchParams,
  ...streamClasses,
});
exposeOperations({ atob, btoa, structuredClone });
installGlobal();
const dispatch = install();

const { AbortController, Headers, Request, Response } = globalThis;
notCloneable(
  AbortController, Event, EventTarget, FormData, Headers, Navigator, PerformanceEntry, Request, Response, Crypto,
  SubtleCrypto, TextDecoder, TextDecoderStream, TextEncoder, TextEncoderStream, URL, URLPattern, URLSearchParams,
  MessageChannel, ...Object.values(streamClasses),
);

// The bridge calls this when it has made an isolate from the snapshot, before any of the app's code.
dispatch.awake = installWasmStreaming;

rehearse(dispatch);

export default dispatch;
