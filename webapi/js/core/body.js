// Bodies of requests and responses. A string or bytes stay what they are, and a body that is on the wire stays there:
// a ReadableStream is only made when somebody asks for one.
import { native } from "../native.js";
import { blobBytes, createBlob, isBlob } from "../lib/blob.js";
import { FormData, addEntry, isFormData } from "../lib/formdata.js";
import { bytesOf } from "../lib/idl.js";
import { encodeMultipart, parseMultipart } from "../lib/multipart.js";
import { ReadableStream, TransformStream, isDisturbed } from "../lib/streams.js";
import { URLSearchParams } from "../lib/url/searchparams.js";
import { forget, register } from "./calls.js";
import { contentType, serializeType } from "./mime.js";

const EMPTY = new Uint8Array(0);

// Body is one body. source is a string, a Uint8Array that the body owns, a RemoteBody, or undefined: then only the
// stream knows.
export class Body {
  constructor(source, type) {
    this.source = source;
    this.type = type; // the Content-Type that it implies, or null
    this.stream = undefined;
    this.taken = false; // the source was consumed without the stream
    this.shared = false; // the bytes of source belong to others as well
    this.remote = source instanceof RemoteBody; // the bytes are those that Go has, and as many
  }

  get disturbed() {
    return this.taken || (this.stream !== undefined && isDisturbed(this.stream));
  }

  get unusable() {
    return this.disturbed || (this.stream !== undefined && this.stream.locked);
  }

  // take consumes the body: it answers the source, or the stream where there is no source.
  take() {
    const { source, stream } = this;
    this.taken = true;
    if (source === undefined) return stream;
    if (source instanceof RemoteBody) source.direct = true;
    if (stream !== undefined) stream.getReader().cancel(); // for whoever holds it: locked and at its end
    return source;
  }

  get complete() {
    return typeof this.source === "string" || this.source instanceof Uint8Array;
  }

  // cancel drops a body that nobody will read.
  cancel(reason) {
    if (this.unusable) return;
    const source = this.take();
    if (source instanceof RemoteBody) source.cancel();
    else if (!this.complete) source.cancel(reason).catch(() => {}); // the stream is the app's, and so are its errors
  }

  openStream() {
    if (this.stream === undefined) {
      this.stream = this.taken ? lockedStream() : streamOf(this);
      if (!this.taken) streamed.set(this.stream, this);
    }
    return this.stream;
  }

  // move makes a body that has taken over this one.
  move() {
    const moved = new Body(this.source, this.type);
    moved.shared = this.shared;
    moved.remote = this.remote;
    if (this.stream !== undefined) {
      moved.source = undefined;
      moved.stream = this.stream.pipeThrough(new TransformStream());
    }
    this.taken = true;
    return moved;
  }

  clone() {
    const copy = new Body(this.source, this.type);
    if (this.complete && this.stream === undefined) {
      this.shared = true;
      copy.shared = true;
      return copy;
    }
    const [mine, its] = this.openStream().tee();
    this.stream = mine;
    this.source = undefined;
    copy.stream = its;
    copy.source = undefined;
    copy.remote = this.remote;
    streamed.set(mine, this);
    streamed.set(its, copy);
    return copy;
  }
}

// RemoteBody is a body that Go holds: each read is a call of readOp, and cancelOp drops the rest.
export class RemoteBody {
  #readOp;
  #cancelOp;
  #number;
  #pending; // the read under way: { number, resolve, reject }
  #ended = false;
  #error;
  #controller; // of the stream that reads from here

  constructor(readOp, cancelOp, number) {
    this.#readOp = readOp;
    this.#cancelOp = cancelOp;
    this.#number = number;
    this.direct = false; // it is read without the stream, whose end then means nothing
    this.onEnd = undefined;
  }

  get untouched() {
    return !this.#ended && this.#pending === undefined && this.#controller === undefined;
  }

  // read promises the next chunk, or null at the end. One read at a time.
  read() {
    if (this.#error !== undefined) return Promise.reject(this.#error.reason);
    if (this.#ended) return Promise.resolve(null);
    return new Promise((resolve, reject) => {
      const number = register((chunk) => {
        this.#pending = undefined;
        if (chunk === null) this.#end();
        resolve(chunk);
      }, (error) => {
        this.#pending = undefined;
        this.#error = { reason: error };
        this.#end();
        reject(error);
      });
      this.#pending = { number, resolve, reject };
      native.post(this.#readOp, number, this.#number);
    });
  }

  // cancel drops the rest; a read under way finds the end.
  cancel() {
    if (this.#ended) return;
    native.post(this.#cancelOp, 0, this.#number);
    this.#settle((pending) => pending.resolve(null));
  }

  // fail makes the read under way and all that follow throw.
  fail(reason) {
    if (this.#ended) return;
    this.#error = { reason };
    native.post(this.#cancelOp, 0, this.#number);
    this.#settle((pending) => pending.reject(reason));
    this.#controller?.error(reason);
  }

  #settle(finish) {
    const pending = this.#pending;
    this.#pending = undefined;
    this.#end();
    if (pending === undefined) return;
    forget(pending.number);
    finish(pending);
  }

  feed(controller) {
    this.#controller = controller;
  }

  #end() {
    this.#ended = true;
    this.onEnd?.();
    this.onEnd = undefined;
  }
}

// streamed knows of which body a stream was made.
const streamed = new WeakMap();

// streamOf is a byte stream with no read-ahead: nothing is pulled that nobody reads.
function streamOf(body) {
  const { source } = body;
  if (source instanceof RemoteBody) {
    return new ReadableStream({
      type: "bytes",
      start(controller) {
        source.feed(controller);
      },
      async pull(controller) {
        const chunk = await source.read();
        if (chunk === null) close(controller);
        else controller.enqueue(chunk);
      },
      cancel() {
        if (!source.direct) source.cancel();
      },
    }, { highWaterMark: 0 });
  }
  return new ReadableStream({
    type: "bytes",
    pull(controller) {
      const bytes = ownBytes(body, source);
      if (bytes.byteLength > 0) controller.enqueue(bytes);
      close(controller);
    },
  }, { highWaterMark: 0 });
}

function close(controller) {
  controller.close();
  controller.byobRequest?.respond(0);
}

// lockedStream is what response.body is after response.text(): a stream that is used up.
function lockedStream() {
  const stream = new ReadableStream({ type: "bytes" });
  stream.getReader().cancel();
  return stream;
}

// extractBody makes a Body of what an app passes as one.
export function extractBody(value) {
  if (typeof value === "string") return new Body(value, "text/plain;charset=UTF-8");
  if (typeof value === "object" && value !== null) {
    const bytes = bytesOf(value);
    if (bytes !== undefined) return new Body(bytes.slice(), null);
    if (value instanceof ReadableStream) return streamBody(value);
    if (isBlob(value)) {
      const body = new Body(blobBytes(value), value.type === "" ? null : value.type);
      body.shared = true;
      return body;
    }
    if (isFormData(value)) {
      const { bytes, type } = encodeMultipart(value);
      return new Body(bytes, type);
    }
    if (value instanceof URLSearchParams) {
      return new Body(value.toString(), "application/x-www-form-urlencoded;charset=UTF-8");
    }
  }
  return new Body(`${value}`, "text/plain;charset=UTF-8");
}

function streamBody(stream) {
  if (isDisturbed(stream) || stream.locked) {
    throw new TypeError("the stream can't become a body: it was read from or is locked");
  }
  // A stream that we made of another body, as in new Response(other.body, other): what is behind it will do.
  const from = streamed.get(stream);
  const body = new Body(from?.source, null);
  body.remote = from?.remote ?? false;
  body.shared = true;
  body.stream = stream;
  return body;
}

// chunkBytes is the bytes of a chunk that a stream of an app's handed out.
export function chunkBytes(chunk) {
  const bytes = typeof chunk === "object" ? bytesOf(chunk) : undefined;
  if (bytes === undefined) {
    const what = chunk === null ? "null" : typeof chunk === "object" ? "an object" : `a ${typeof chunk}`;
    throw new TypeError(`a body's stream must hold Uint8Array chunks, but it held ${what}`);
  }
  return bytes;
}

// reader makes RemoteBodies and streams the same to read: { read(): bytes or null, cancel(reason) }.
export function reader(source) {
  if (source instanceof RemoteBody) return source;
  const inner = source.getReader();
  return {
    async read() {
      const { done, value } = await inner.read();
      return done ? null : chunkBytes(value);
    },
    cancel(reason) {
      return inner.cancel(reason);
    },
  };
}

// readAll reads a RemoteBody or a stream to its end; where that is more than max bytes it gives up, with undefined.
export async function readAll(source, max = Infinity) {
  const from = reader(source);
  const chunks = [];
  let length = 0;
  for (;;) {
    const chunk = await from.read();
    if (chunk === null) break;
    chunks.push(chunk);
    length += chunk.byteLength;
    if (length > max) {
      await from.cancel();
      return undefined;
    }
  }
  if (chunks.length === 1) return from === source ? chunks[0] : chunks[0].slice(); // an app's chunk stays the app's
  const all = new Uint8Array(length);
  let offset = 0;
  for (const chunk of chunks) {
    all.set(chunk, offset);
    offset += chunk.byteLength;
  }
  return all;
}

// ownBytes are bytes that the caller may give away.
function ownBytes(body, source) {
  if (typeof source === "string") return native.utf8Encode(source);
  if (body !== null && body.shared) return source.slice();
  return source;
}

function textOf(source) {
  if (typeof source === "string") {
    const text = source.toWellFormed();
    return text.charCodeAt(0) === 0xfeff ? text.slice(1) : text;
  }
  if (source.length >= 3 && source[0] === 0xef && source[1] === 0xbb && source[2] === 0xbf) source = source.subarray(3);
  return native.utf8Decode(source, false);
}

function bytesFrom(source, body) {
  const bytes = ownBytes(body, source);
  return bytes.byteLength === bytes.buffer.byteLength ? bytes : bytes.slice();
}

const consumers = {
  arrayBuffer: (source, body) => bytesFrom(source, body).buffer,
  bytes: bytesFrom,
  json: (source) => JSON.parse(textOf(source)),
  text: textOf,
  blob(source, body, list) {
    const type = contentType(list);
    return createBlob(ownBytes(body, source), type === null ? "" : serializeType(type).toLowerCase());
  },
  formData(source, body, list) {
    return decodeForm(typeof source === "string" ? native.utf8Encode(source) : source, contentType(list));
  },
};

function decodeForm(bytes, type) {
  if (type?.essence === "multipart/form-data") {
    const boundary = type.parameters.get("boundary");
    if (boundary === undefined) throw new TypeError("the body is no form: its Content-Type names no boundary");
    return parseMultipart(bytes, boundary);
  }
  if (type?.essence !== "application/x-www-form-urlencoded") {
    const what = type === null ? "missing or malformed" : type.essence;
    throw new TypeError(`the body is no form: its Content-Type is ${what}`);
  }
  const form = new FormData();
  for (const [name, value] of new URLSearchParams(native.utf8Decode(bytes, false))) addEntry(form, name, value);
  return form;
}

function consume(state, convert) {
  const { body } = state;
  if (body === null) return convert(EMPTY.slice(), null, state.list);
  if (body.unusable) throw new TypeError("the body was read before, or is being read");
  const source = body.take();
  if (typeof source === "string" || source instanceof Uint8Array) return convert(source, body, state.list);
  return readAll(source).then((bytes) => convert(bytes, null, state.list));
}

// mixinBody gives Class the members of the Body mixin; stateOf(object) answers { body, list } and throws where object
// is no instance.
export function mixinBody(Class, stateOf) {
  const members = {
    get body() {
      const { body } = stateOf(this);
      return body === null ? null : body.openStream();
    },
    get bodyUsed() {
      const { body } = stateOf(this);
      return body !== null && body.disturbed;
    },
    arrayBuffer() { return promise(this, consumers.arrayBuffer); },
    blob() { return promise(this, consumers.blob); },
    bytes() { return promise(this, consumers.bytes); },
    formData() { return promise(this, consumers.formData); },
    json() { return promise(this, consumers.json); },
    text() { return promise(this, consumers.text); },
  };
  function promise(self, convert) {
    try {
      return Promise.resolve(consume(stateOf(self), convert));
    } catch (error) {
      return Promise.reject(error);
    }
  }
  Object.defineProperties(Class.prototype, Object.getOwnPropertyDescriptors(members));
}
