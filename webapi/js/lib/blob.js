import { native } from "../native.js";
import { bytesOf, dictionary, isObject, needArguments, shape, usv } from "./idl.js";
import { ReadableStream } from "./streams.js";

// What the platform does with blobs.
export let isBlob;
export let isFile;
export let blobBytes; // (blob): its bytes, which nobody may write to
export let createBlob; // (bytes, type): bytes become the blob's
export let createFile; // (bytes, name, type, lastModified)
export let cloneBlob; // (blob or file)

// chunkSize is how much a blob's stream gives at a time.
const chunkSize = 64 << 10;

export class Blob {
  #bytes;
  #type;

  constructor(parts = undefined, options = undefined) {
    if (parts === undefined) parts = [];
    if (!isObject(parts) || typeof parts[Symbol.iterator] !== "function") {
      throw new TypeError(`${new.target?.name}: the parts are not a sequence`);
    }
    const list = [...parts];
    options = dictionary(options, "Blob");
    const { endings = "transparent", type = "" } = options;
    if (`${endings}` !== "transparent" && `${endings}` !== "native") {
      throw new TypeError('Blob: the endings are neither "transparent" nor "native"');
    }
    this.#type = normalizeType(`${type}`);
    this.#bytes = join(list.map((part) => partBytes(part, `${endings}` === "native")));
  }

  get size() { return this.#bytes.length; }
  get type() { return this.#type; }

  slice(start = undefined, end = undefined, type = "") {
    const size = this.#bytes.length;
    const from = clampIndex(start, 0, size);
    const to = Math.max(from, clampIndex(end, size, size));
    return createBlob(this.#bytes.subarray(from, to), normalizeType(`${type}`));
  }

  stream() {
    const bytes = this.#bytes;
    let position = 0;
    return new ReadableStream({
      type: "bytes",
      pull(controller) {
        if (position === bytes.length) {
          controller.close();
          controller.byobRequest?.respond(0);
          return;
        }
        const chunk = bytes.slice(position, position + chunkSize);
        position += chunk.length;
        controller.enqueue(chunk);
      },
    });
  }

  // The check comes first so that a wrong receiver rejects and doesn't throw.
  async text() {
    const bytes = this.#bytes;
    const bom = bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf;
    return native.utf8Decode(bom ? bytes.subarray(3) : bytes, false);
  }
  async arrayBuffer() { return this.#bytes.slice().buffer; }
  async bytes() { return this.#bytes.slice(); }

  static {
    isBlob = (value) => isObject(value) && #bytes in value;
    blobBytes = (blob) => blob.#bytes;
    createBlob = (bytes, type) => {
      const blob = new Blob();
      blob.#bytes = bytes;
      blob.#type = type;
      return blob;
    };
    createFile = (bytes, name, type, lastModified) => {
      const file = new File([], name, { lastModified });
      file.#bytes = bytes;
      file.#type = type;
      return file;
    };
    cloneBlob = (blob) => (isFile(blob)
      ? createFile(blob.#bytes, blob.name, blob.#type, blob.lastModified)
      : createBlob(blob.#bytes, blob.#type));
  }
}

export class File extends Blob {
  #name;
  #lastModified;

  constructor(parts, name, options = undefined) {
    needArguments(arguments, 2, "File", "constructor");
    super(parts, options);
    this.#name = usv(name);
    const { lastModified } = dictionary(options);
    this.#lastModified = lastModified === undefined ? Date.now() : Math.trunc(Number(lastModified)) || 0;
  }

  get name() { return this.#name; }
  get lastModified() { return this.#lastModified; }

  static {
    isFile = (value) => isObject(value) && #name in value;
  }
}

function partBytes(part, nativeEndings) {
  const bytes = bytesOf(part);
  if (bytes !== undefined) return bytes;
  if (isBlob(part)) return blobBytes(part);
  let text = `${part}`;
  if (nativeEndings) text = text.replace(/\r\n?/g, "\n");
  return native.utf8Encode(text);
}

// join copies, so that later changes of the parts don't show.
function join(parts) {
  let size = 0;
  for (const part of parts) size += part.length;
  const joined = new Uint8Array(size);
  let position = 0;
  for (const part of parts) {
    joined.set(part, position);
    position += part.length;
  }
  return joined;
}

function normalizeType(type) {
  return /[^\x20-\x7e]/.test(type) ? "" : type.toLowerCase();
}

// clampIndex is Web IDL's [Clamp] long long, counted from the end where it is negative.
function clampIndex(value, missing, size) {
  if (value === undefined) return missing;
  const number = Math.round(Number(value)) || 0;
  return number < 0 ? Math.max(0, size + number) : Math.min(number, size);
}

shape(Blob);
shape(File);
