// atob and btoa: https://infra.spec.whatwg.org/#forgiving-base64

import { native } from "../native.js";
import { DOMException } from "./domexception.js";
import { needArguments } from "./idl.js";

const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const codes = new Uint8Array(64);
const values = new Int8Array(128).fill(-1);
for (let i = 0; i < 64; i++) {
  codes[i] = alphabet.charCodeAt(i);
  values[codes[i]] = i;
}
const PAD = 0x3d;

export function btoa(data) {
  needArguments(arguments, 1, "btoa");
  data = `${data}`;
  const length = data.length;
  const output = new Uint8Array(Math.ceil(length / 3) * 4);
  let seen = 0;
  let to = 0;
  for (let from = 0; from < length; from += 3) {
    // Past the end charCodeAt is NaN, which counts as 0 here.
    const a = data.charCodeAt(from);
    const b = data.charCodeAt(from + 1);
    const c = data.charCodeAt(from + 2);
    seen |= a | b | c;
    const group = (a << 16) | (b << 8) | c;
    output[to++] = codes[(group >> 18) & 63];
    output[to++] = codes[(group >> 12) & 63];
    output[to++] = from + 1 < length ? codes[(group >> 6) & 63] : PAD;
    output[to++] = from + 2 < length ? codes[group & 63] : PAD;
  }
  if (seen > 0xff) throw new DOMException("btoa: the string has characters outside of Latin-1", "InvalidCharacterError");
  return native.latin1Decode(output);
}

export function atob(data) {
  needArguments(arguments, 1, "atob");
  data = `${data}`;
  if (/[\t\n\f\r ]/.test(data)) data = data.replace(/[\t\n\f\r ]+/g, "");
  let length = data.length;
  if (length % 4 === 0) {
    if (data.endsWith("==")) length -= 2;
    else if (data.endsWith("=")) length -= 1;
  }
  if (length % 4 === 1) fail();
  const output = new Uint8Array((length * 3) >> 2);
  let bits = 0;
  let count = 0;
  let to = 0;
  for (let i = 0; i < length; i++) {
    const code = data.charCodeAt(i);
    const value = code < 128 ? values[code] : -1;
    if (value < 0) fail();
    bits = (bits << 6) | value;
    count += 6;
    if (count >= 8) {
      count -= 8;
      output[to++] = bits >> count; // the array keeps the low eight
    }
  }
  return native.latin1Decode(output);
}

function fail() {
  throw new DOMException("atob: the string is not Base64", "InvalidCharacterError");
}
