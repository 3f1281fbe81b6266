// The part of @exodus/bytes/whatwg.js that whatwg-url uses: its query encoding, which for us is always UTF-8.

import { native } from "../../native.js";

const hex = [];
for (let i = 0; i < 256; i++) hex.push(`%${i < 16 ? "0" : ""}${i.toString(16).toUpperCase()}`);

// encode also escapes the C0 controls and what lies above ~.
export function percentEncodeAfterEncoding(encoding, input, encode) {
  let output = "";
  for (const byte of native.utf8Encode(input)) {
    const char = String.fromCharCode(byte);
    output += byte < 0x20 || byte > 0x7e || encode.includes(char) ? hex[byte] : char;
  }
  return output;
}
