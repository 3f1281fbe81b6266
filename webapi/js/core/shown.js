// What the console shows of web objects, whose state is private.
import { AbortSignal } from "../lib/abort.js";
import { Blob, File } from "../lib/blob.js";
import { Event } from "../lib/event.js";
import { FormData, entriesOf } from "../lib/formdata.js";
import { URL } from "../lib/url/url.js";
import { URLSearchParams } from "../lib/url/searchparams.js";
import { Headers, headerListOf } from "./headers.js";
import { describeClass } from "./inspect.js";
import { Request, requestState } from "./request.js";
import { Response, responseState } from "./response.js";

// getters picks accessors of a class that its prototype had when the platform was made.
function getters(Class, ...keys) {
  const list = keys.map((key) => [key, Object.getOwnPropertyDescriptor(Class.prototype, key).get]);
  describeClass(Class, (object) => list.map(([key, get]) => [key, get.call(object)]));
}

describeClass(Headers, (headers) => headerListOf(headers).sorted);
describeClass(Request, (request) => {
  const { method, url, list } = requestState(request);
  return [["method", method], ["url", url], ["headers", new Headers(list)]];
});
describeClass(Response, (response) => {
  const { status, statusText, list, url, redirected, type } = responseState(response);
  return [
    ["status", status], ["statusText", statusText], ["headers", new Headers(list)], ["url", url],
    ["redirected", redirected], ["type", type],
  ];
});
describeClass(FormData, (form) => entriesOf(form));
getters(
  URL, "href", "origin", "protocol", "username", "password", "host", "hostname", "port", "pathname", "search", "hash",
);
const paramEntries = URLSearchParams.prototype.entries;
describeClass(URLSearchParams, (params) => [...paramEntries.call(params)]);
getters(Blob, "size", "type");
describeClass(File, (file) => [["name", file.name], ["size", file.size], ["type", file.type]]);
getters(AbortSignal, "aborted", "reason");
getters(Event, "type", "defaultPrevented", "cancelable", "timeStamp");
