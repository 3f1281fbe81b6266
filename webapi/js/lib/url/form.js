// application/x-www-form-urlencoded, both ways: https://url.spec.whatwg.org/#application/x-www-form-urlencoded

import { native } from "../../native.js";

// parseForm returns [name, value] pairs.
export function parseForm(input) {
  const pairs = [];
  if (input === "") return pairs;
  for (const part of input.split("&")) {
    if (part === "") continue;
    const equals = part.indexOf("=");
    if (equals < 0) pairs.push([decode(part), ""]);
    else pairs.push([decode(part.slice(0, equals)), decode(part.slice(equals + 1))]);
  }
  return pairs;
}

export function serializeForm(pairs) {
  let output = "";
  for (const [name, value] of pairs) {
    if (output !== "") output += "&";
    output += `${encode(name)}=${encode(value)}`;
  }
  return output;
}

function decode(string) {
  if (string.includes("+")) string = string.replaceAll("+", " ");
  if (!string.includes("%")) return string;
  try {
    return decodeURIComponent(string);
  } catch {
    return native.utf8Decode(percentDecode(native.utf8Encode(string)), false);
  }
}

// percentDecode leaves a % that two hexadecimal digits don't follow alone, which decodeURIComponent refuses.
function percentDecode(input) {
  const output = new Uint8Array(input.length);
  let length = 0;
  for (let i = 0; i < input.length; i++) {
    let byte = input[i];
    if (byte === 0x25 && i + 2 < input.length) {
      const high = digit(input[i + 1]);
      const low = digit(input[i + 2]);
      if (high >= 0 && low >= 0) {
        byte = high * 16 + low;
        i += 2;
      }
    }
    output[length++] = byte;
  }
  return output.subarray(0, length);
}

function digit(byte) {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const letter = byte | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : -1;
}

const plain = /^[\w*.-]*$/;
const escapes = { "%20": "+", "!": "%21", "'": "%27", "(": "%28", ")": "%29", "~": "%7E" };

// encode's input has no lone surrogates: it is a USVString.
function encode(string) {
  if (plain.test(string)) return string;
  return encodeURIComponent(string).replace(/%20|[!'()~]/g, (char) => escapes[char]);
}
