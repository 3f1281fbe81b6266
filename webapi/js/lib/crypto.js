import { native } from "../native.js";
import { call } from "../core/calls.js";
import { DIGEST } from "../core/ops.js";
import { DOMException } from "./domexception.js";
import { bytesOf, isObject, needArguments, shape, typedArrayName } from "./idl.js";

const secret = Symbol("Crypto");

const integerArrays = [
  "Int8Array", "Uint8Array", "Uint8ClampedArray", "Int16Array", "Uint16Array", "Int32Array", "Uint32Array",
  "BigInt64Array", "BigUint64Array",
];

const hex = [];
for (let i = 0; i < 256; i++) hex.push((i + 0x100).toString(16).slice(1));

// Random bytes for UUIDs are fetched for sixteen at a time.
const pool = new Uint8Array(256);
let poolUsed = pool.length;

export class Crypto {
  #subtle = new SubtleCrypto(secret);

  constructor(key) {
    if (key !== secret) throw new TypeError("Illegal constructor");
  }

  get subtle() { return this.#subtle; }

  getRandomValues(array) {
    this.#subtle;
    needArguments(arguments, 1, "Crypto", "getRandomValues");
    if (!integerArrays.includes(typedArrayName(array))) {
      throw new DOMException("getRandomValues: the argument is not an array of integers", "TypeMismatchError");
    }
    if (array.byteLength > 65536) {
      throw new DOMException(`getRandomValues: ${array.byteLength} bytes are more than 65536`, "QuotaExceededError");
    }
    native.random(array);
    return array;
  }

  randomUUID() {
    this.#subtle;
    if (poolUsed === pool.length) {
      native.random(pool);
      poolUsed = 0;
    }
    const p = poolUsed;
    poolUsed += 16;
    const version = hex[(pool[p + 6] & 0x0f) | 0x40];
    const variant = hex[(pool[p + 8] & 0x3f) | 0x80];
    return hex[pool[p]] + hex[pool[p + 1]] + hex[pool[p + 2]] + hex[pool[p + 3]] + "-" +
      hex[pool[p + 4]] + hex[pool[p + 5]] + "-" + version + hex[pool[p + 7]] + "-" + variant + hex[pool[p + 9]] + "-" +
      hex[pool[p + 10]] + hex[pool[p + 11]] + hex[pool[p + 12]] + hex[pool[p + 13]] + hex[pool[p + 14]] + hex[pool[p + 15]];
  }
}

export class CryptoKey {
  constructor() {
    throw new TypeError("Illegal constructor");
  }
}

export class SubtleCrypto {
  #brand;

  constructor(key) {
    if (key !== secret) throw new TypeError("Illegal constructor");
  }

  async digest(algorithm, data) {
    this.#brand;
    needArguments(arguments, 2, "SubtleCrypto", "digest");
    const name = algorithmName(algorithm);
    const bytes = bytesOf(data);
    if (bytes === undefined) throw new TypeError("SubtleCrypto.digest: the data is not an ArrayBuffer or a view of one");
    if (!digests.includes(name)) throw new DOMException(`SubtleCrypto.digest: "${name}" is no digest`, "NotSupportedError");
    const result = await call(DIGEST, name, bytes);
    return result.buffer;
  }
}

const digests = ["SHA-1", "SHA-256", "SHA-384", "SHA-512"];

function algorithmName(algorithm) {
  const name = isObject(algorithm) ? algorithm.name : algorithm;
  if (name === undefined) throw new TypeError("the algorithm has no name");
  return `${name}`.toUpperCase();
}

for (const Class of [Crypto, CryptoKey, SubtleCrypto]) shape(Class);

export const crypto = new Crypto(secret);
