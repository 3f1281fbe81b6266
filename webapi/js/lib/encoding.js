import { native } from "../native.js";
import { bytesOf, dictionary, needArguments, shape, typedArrayName } from "./idl.js";
import { TransformStream } from "./streams.js";

export class TextEncoder {
  #brand;

  get encoding() {
    this.#brand;
    return "utf-8";
  }

  encode(input = "") {
    this.#brand;
    return native.utf8Encode(`${input}`);
  }

  encodeInto(source, destination) {
    this.#brand;
    needArguments(arguments, 2, "TextEncoder", "encodeInto");
    source = `${source}`;
    if (typedArrayName(destination) !== "Uint8Array") {
      throw new TypeError("TextEncoder.encodeInto: the destination is not a Uint8Array");
    }
    const both = native.encodeInto(source, destination);
    const written = both >>> 0;
    return { read: (both - written) / 2 ** 32, written };
  }
}

const utf8Labels = /^[\t\n\f\r ]*(?:utf-?8|unicode-1-1-utf-8|unicode11utf8|unicode20utf8|x-unicode20utf8)[\t\n\f\r ]*$/i;

// The other encodings are @exodus/bytes', evaluated when they are first asked for; those of East Asia, with 150 KB of
// tables, apart from the rest.
const others = () => require("@exodus/bytes/encoding-lite.js");
const multiByte = () => require("@exodus/bytes/encoding.js");
const multiByteNames = ["big5", "euc-kr", "euc-jp", "iso-2022-jp", "shift_jis", "gbk", "gb18030"];

const noBytes = new Uint8Array(0);

export class TextDecoder {
  #encoding = "utf-8";
  #fatal;
  #ignoreBOM;
  #other; // a decoder for another encoding than UTF-8
  #pending = noBytes; // the start of a character whose end hasn't come yet
  #started = false; // past the place of a byte order mark

  constructor(label = "utf-8", options = undefined) {
    label = `${label}`;
    options = dictionary(options, "TextDecoder");
    this.#fatal = !!options.fatal;
    this.#ignoreBOM = !!options.ignoreBOM;
    if (label !== "utf-8" && !utf8Labels.test(label)) this.#useOther(label);
  }

  get encoding() { return this.#encoding; }
  get fatal() { return this.#fatal; }
  get ignoreBOM() { return this.#ignoreBOM; }

  decode(input = undefined, options = undefined) {
    let bytes = input === undefined ? noBytes : bytesOf(input, true);
    if (bytes === undefined) throw new TypeError("TextDecoder.decode: the input is not an ArrayBuffer or a view of one");
    const stream = options !== undefined && !!dictionary(options, "TextDecoder.decode").stream;
    if (this.#other !== undefined) return this.#other.decode(bytes, { stream });
    if (this.#pending.length > 0) {
      const joined = new Uint8Array(this.#pending.length + bytes.length);
      joined.set(this.#pending);
      joined.set(bytes, this.#pending.length);
      bytes = joined;
      this.#pending = noBytes;
    }
    if (stream) {
      const end = completeLength(bytes);
      this.#pending = bytes.slice(end);
      bytes = bytes.subarray(0, end);
    }
    if (!this.#started && !this.#ignoreBOM && bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf) {
      bytes = bytes.subarray(3);
      this.#started = true;
    }
    this.#started = stream && (this.#started || bytes.length > 0);
    if (!this.#fatal) return native.utf8Decode(bytes, false);
    try {
      return native.utf8Decode(bytes, true);
    } catch (error) {
      this.#pending = noBytes;
      throw error;
    }
  }

  #useOther(label) {
    const { TextDecoder: Decoder } = others();
    const options = { fatal: this.#fatal, ignoreBOM: this.#ignoreBOM };
    try {
      this.#other = new Decoder(label, options);
    } catch {
      throw new RangeError(`TextDecoder: the encoding "${label}" is not known`);
    }
    this.#encoding = this.#other.encoding;
    if (multiByteNames.includes(this.#encoding)) multiByte();
  }
}

// completeLength is how many of the bytes don't belong to a UTF-8 sequence that is cut off at the end.
function completeLength(bytes) {
  const length = bytes.length;
  for (let back = 1; back <= 3 && back <= length; back++) {
    const byte = bytes[length - back];
    if ((byte & 0xc0) === 0x80) continue;
    const needed = byte < 0xc2 || byte > 0xf4 ? 1 : byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : 4;
    return needed > back && validStart(bytes, length - back, length) ? length - back : length;
  }
  return length;
}

// validStart tells whether a sequence that is cut off could still become a character: the second byte of some is
// restricted.
function validStart(bytes, start, end) {
  if (end - start < 2) return true;
  const second = bytes[start + 1];
  switch (bytes[start]) {
    case 0xe0: return second >= 0xa0;
    case 0xed: return second < 0xa0;
    case 0xf0: return second >= 0x90;
    case 0xf4: return second < 0x90;
    default: return true;
  }
}

export class TextEncoderStream {
  #stream;

  constructor() {
    let lead = ""; // the first half of a character whose second half hasn't come yet
    this.#stream = new TransformStream({
      transform(chunk, controller) {
        let string = lead + `${chunk}`;
        const last = string.charCodeAt(string.length - 1);
        lead = last >= 0xd800 && last <= 0xdbff ? string.at(-1) : "";
        if (lead !== "") string = string.slice(0, -1);
        if (string !== "") controller.enqueue(native.utf8Encode(string));
      },
      flush(controller) {
        if (lead !== "") controller.enqueue(native.utf8Encode(lead));
      },
    });
  }

  get encoding() {
    this.#stream;
    return "utf-8";
  }

  get readable() { return this.#stream.readable; }
  get writable() { return this.#stream.writable; }
}

export class TextDecoderStream {
  #decoder;
  #stream;

  constructor(label = "utf-8", options = undefined) {
    const decoder = new TextDecoder(label, options);
    this.#decoder = decoder;
    this.#stream = new TransformStream({
      transform(chunk, controller) {
        const text = decoder.decode(chunkBytes(chunk), { stream: true });
        if (text !== "") controller.enqueue(text);
      },
      flush(controller) {
        const text = decoder.decode();
        if (text !== "") controller.enqueue(text);
      },
    });
  }

  get encoding() { return this.#decoder.encoding; }
  get fatal() { return this.#decoder.fatal; }
  get ignoreBOM() { return this.#decoder.ignoreBOM; }
  get readable() { return this.#stream.readable; }
  get writable() { return this.#stream.writable; }
}

function chunkBytes(chunk) {
  const bytes = bytesOf(chunk, true);
  if (bytes === undefined) throw new TypeError("TextDecoderStream: a chunk is not an ArrayBuffer or a view of one");
  return bytes;
}

for (const Class of [TextEncoder, TextDecoder, TextEncoderStream, TextDecoderStream]) shape(Class);
