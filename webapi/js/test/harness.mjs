// The bundle in a bare V8 context, with a stand-in for the bridge: what the tests of the platform run on.

import { readFileSync } from "node:fs";
import vm from "node:vm";

const script = new vm.Script(readFileSync(new URL("../../dist/prelude.js", import.meta.url), "latin1"), {
  filename: "prelude.js",
});

// newContext evaluates the platform in a context of its own: { global, posted, early, dispatch, run }. posted collects
// what was posted, as arrays; early what was called that must not be while the snapshot is made.
export async function newContext() {
  const global = vm.createContext(vm.constants.DONT_CONTEXTIFY ?? {});
  prepare(global);
  const posted = [];
  let evaluating = true;
  const early = []; // what was called that a snapshot must not hold
  const native = makeNative(global, posted, (name) => {
    if (evaluating) early.push(name);
  });
  const dispatch = script.runInContext(global)(native);
  await new Promise(setImmediate); // the microtasks that the evaluation has left
  evaluating = false;
  dispatch.awake();
  return { global, posted, early, dispatch, run: (code) => vm.runInContext(code, global) };
}

function makeNative(global, posted, awake) {
  const inside = (code) => vm.runInContext(code, global);
  const Uint8ArrayInside = inside("Uint8Array");
  const TypeErrorInside = inside("TypeError");
  const encoder = new TextEncoder();
  const decoders = {
    true: new TextDecoder("utf-8", { ignoreBOM: true, fatal: true }),
    false: new TextDecoder("utf-8", { ignoreBOM: true }),
  };
  const start = performance.now();
  let context;
  return {
    post(...message) {
      awake("post");
      posted.push(message);
    },
    utf8Encode: (string) => new Uint8ArrayInside(encoder.encode(string)),
    utf8Decode(bytes, fatal) {
      try {
        return decoders[fatal].decode(bytes);
      } catch {
        throw new TypeErrorInside("the bytes are not UTF-8");
      }
    },
    utf8Length: (string) => Buffer.byteLength(string),
    encodeInto(string, target) {
      const { read, written } = encoder.encodeInto(string, target);
      return read * 2 ** 32 + written;
    },
    latin1Decode: (bytes) => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).latin1Slice(),
    random(view) {
      awake("random");
      return crypto.getRandomValues(view);
    },
    now() {
      awake("now");
      return performance.now() - start;
    },
    setContext(value) {
      context = value;
    },
    getContext: () => context,
    blame() {},
    structuredClone: (value) => cloneLeaf(global, value),
    promiseState: () => [0, undefined],
    proxyTarget: () => undefined,
  };
}

// prepare gives an older Node what NANO's V8 has.
function prepare(global) {
  vm.runInContext(`
    if (ArrayBuffer.prototype.transfer === undefined) {
      const gone = new WeakSet();
      Object.defineProperty(ArrayBuffer.prototype, "detached", { get() { return gone.has(this); }, configurable: true });
      ArrayBuffer.prototype.transfer = function () {
        const copy = this.slice();
        gone.add(this);
        return copy;
      };
    }`, global);
}

// cloneLeaf is V8's serializer for what holds no other objects.
function cloneLeaf(global, value) {
  const clone = vm.runInContext(`(value) => {
    if (value instanceof Date) return new Date(value.getTime());
    if (value instanceof RegExp) return new RegExp(value.source, value.flags);
    if (value instanceof Error) {
      const names = ["EvalError", "RangeError", "ReferenceError", "SyntaxError", "TypeError", "URIError"];
      const copy = new globalThis[names.includes(value.name) ? value.name : "Error"](value.message);
      copy.stack = value.stack;
      return copy;
    }
    if (value instanceof Boolean || value instanceof Number || value instanceof String || value instanceof BigInt) {
      return Object(value.valueOf());
    }
    const error = new Error("could not be cloned");
    error.name = "DataCloneError";
    throw error;
  }`, global);
  return clone(value);
}
