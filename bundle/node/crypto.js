// What of node:crypto Web Crypto can do. Its digests are asynchronous, so
// createHash and its like can't be made of them.
export const webcrypto = globalThis.crypto
export const subtle = webcrypto?.subtle
export const getRandomValues = (view) => webcrypto.getRandomValues(view)
export const randomUUID = () => webcrypto.randomUUID()

export const randomInt = (min, max) => {
  if (max === undefined) [min, max] = [0, min]
  const range = max - min
  if (!(range > 0 && range <= 2 ** 48 - 1)) throw new RangeError("The range of randomInt must be from 1 to 2^48 - 1")
  // Values from the last, incomplete multiple of range would favour low results.
  const limit = 2 ** 48 - (2 ** 48 % range)
  for (;;) {
    const [high, low] = webcrypto.getRandomValues(new Uint32Array(2))
    const value = (high & 0xffff) * 2 ** 32 + low
    if (value < limit) return min + (value % range)
  }
}

export const timingSafeEqual = (a, b) => {
  const bytes = (view) => (view instanceof ArrayBuffer ? new Uint8Array(view) : new Uint8Array(view.buffer, view.byteOffset, view.byteLength))
  const [x, y] = [bytes(a), bytes(b)]
  if (x.length !== y.length) throw new RangeError("Input buffers must have the same byte length")
  let different = 0
  for (let i = 0; i < x.length; i++) different |= x[i] ^ y[i]
  return different === 0
}

export default { webcrypto, subtle, getRandomValues, randomUUID, randomInt, timingSafeEqual }
