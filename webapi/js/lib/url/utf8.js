// The engine's UTF-8 in the place of whatwg-url's lib/encoding.js.

import { native } from "../../native.js";

export const utf8Encode = (string) => native.utf8Encode(string);
export const utf8DecodeWithoutBOM = (bytes) => native.utf8Decode(bytes, false);
