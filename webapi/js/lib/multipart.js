// multipart/form-data, both ways:
// https://fetch.spec.whatwg.org/#multipart-form-data-parser and RFC 7578.

import { native } from "../native.js";
import { File, blobBytes } from "./blob.js";
import { FormData, addEntry, entriesOf } from "./formdata.js";

// encodeMultipart is HTML's encoding: { bytes, type }, type naming the boundary.
export function encodeMultipart(form) {
  const boundary = makeBoundary();
  const parts = [];
  for (const [name, value] of entriesOf(form)) {
    let head = `--${boundary}\r\nContent-Disposition: form-data; name="${escapeName(newlines(name))}"`;
    if (typeof value === "string") {
      parts.push(native.utf8Encode(`${head}\r\n\r\n${newlines(value)}\r\n`));
      continue;
    }
    head += `; filename="${escapeName(value.name)}"\r\nContent-Type: ${value.type || "application/octet-stream"}\r\n\r\n`;
    parts.push(native.utf8Encode(head), blobBytes(value), lineEnd);
  }
  parts.push(native.utf8Encode(`--${boundary}--\r\n`));
  return { bytes: concat(parts), type: `multipart/form-data; boundary=${boundary}` };
}

const lineEnd = new Uint8Array([13, 10]);

function makeBoundary() {
  const random = new Uint8Array(12);
  native.random(random);
  let hex = "";
  for (const byte of random) hex += byte.toString(16).padStart(2, "0");
  return `----nano-form-${hex}`;
}

function newlines(text) {
  return text.replace(/\r\n|\r|\n/g, "\r\n");
}

function escapeName(name) {
  return name.replace(/\n/g, "%0A").replace(/\r/g, "%0D").replace(/"/g, "%22");
}

function concat(parts) {
  let length = 0;
  for (const part of parts) length += part.byteLength;
  const all = new Uint8Array(length);
  let offset = 0;
  for (const part of parts) {
    all.set(part, offset);
    offset += part.byteLength;
  }
  return all;
}

function malformed(what, at) {
  return new TypeError(`the multipart body is malformed: ${what} at byte ${at}`);
}

// parseMultipart returns the FormData that a body holds.
export function parseMultipart(bytes, boundary) {
  // One code unit a byte: positions in text are positions in bytes.
  const text = native.latin1Decode(bytes);
  const utf8 = (start, end) => native.utf8Decode(bytes.subarray(start, end), false);
  const delimiter = `--${boundary}`;
  const form = new FormData();
  let at = 0;
  if (!text.startsWith(delimiter)) {
    at = text.indexOf(`\r\n${delimiter}`) + 2; // what stands before the first boundary is no part
    if (at === 1) throw malformed("no boundary", 0);
  }
  for (;;) {
    at += delimiter.length;
    if (text.startsWith("--", at)) return form;
    while (text[at] === " " || text[at] === "\t") at++;
    if (!text.startsWith("\r\n", at)) throw malformed("no line end after the boundary", at);
    const part = readPartHeaders(text, at + 2, utf8);
    const end = text.indexOf(`\r\n${delimiter}`, part.body - 2);
    if (end < 0) throw malformed("a part without an end", part.body);
    const stop = Math.max(end, part.body);
    if (part.filename === undefined) {
      addEntry(form, part.name, utf8(part.body, stop));
    } else {
      const content = bytes.subarray(part.body, stop);
      addEntry(form, part.name, new File([content], part.filename, { type: part.type }));
    }
    at = end + 2;
  }
}

// readPartHeaders reads a part's header lines from at on: { name, filename, type, body: where its content starts }.
function readPartHeaders(text, at, utf8) {
  const part = { name: undefined, filename: undefined, type: "text/plain", body: 0 };
  for (;;) {
    const end = text.indexOf("\r\n", at);
    if (end < 0) throw malformed("a header without an end", at);
    if (end === at) break;
    const colon = text.indexOf(":", at);
    if (colon < 0 || colon > end) throw malformed("a header without a colon", at);
    const name = text.slice(at, colon).trim().toLowerCase();
    if (name === "content-disposition") readDisposition(part, text.slice(colon + 1, end), colon + 1, utf8);
    else if (name === "content-type") part.type = text.slice(colon + 1, end).trim();
    at = end + 2;
  }
  if (part.name === undefined) throw malformed("a part without a name", at);
  part.body = at + 2;
  return part;
}

const PARAMETER = /[ \t]*;[ \t]*([a-zA-Z*]+)=(?:"([^"]*)"|([^;\s]*))/gy;

function readDisposition(part, value, offset, utf8) {
  const kind = /^[ \t]*form-data/i.exec(value);
  if (kind === null) throw malformed("a Content-Disposition that isn't form-data", offset);
  PARAMETER.lastIndex = kind[0].length;
  for (let match; (match = PARAMETER.exec(value)) !== null; ) {
    const key = match[1].toLowerCase();
    if (key !== "name" && key !== "filename") continue;
    const raw = match[2] ?? match[3];
    const start = offset + match.index + match[0].length - raw.length - (match[2] === undefined ? 0 : 1);
    part[key] ??= unescapeName(utf8(start, start + raw.length));
  }
}

function unescapeName(name) {
  return name.replace(/%0A/gi, "\n").replace(/%0D/gi, "\r").replace(/%22/g, '"');
}
