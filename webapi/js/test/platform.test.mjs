// What is on the global, and the shape that Web IDL asks of it; streams, crypto, performance and the rest.

import assert from "node:assert/strict";
import { test } from "node:test";
import { newContext } from "./harness.mjs";

const { global, posted, run, dispatch } = await newContext();

// ECMA-429, the Minimum Common Web API, without WebAssembly, which V8 brings, and the compression streams, which are yet
// to come.
const interfaces = `AbortController AbortSignal Event EventTarget CustomEvent ErrorEvent MessageChannel MessageEvent
  MessagePort PromiseRejectionEvent DOMException Headers Request Response FormData Blob File
  ByteLengthQueuingStrategy CountQueuingStrategy ReadableByteStreamController ReadableStream ReadableStreamBYOBReader
  ReadableStreamBYOBRequest ReadableStreamDefaultController ReadableStreamDefaultReader TransformStream
  TransformStreamDefaultController WritableStream WritableStreamDefaultController WritableStreamDefaultWriter
  TextDecoder TextDecoderStream TextEncoder TextEncoderStream URL URLSearchParams URLPattern Crypto CryptoKey SubtleCrypto
  Performance`.split(/\s+/);
const functions = `atob btoa clearTimeout clearInterval queueMicrotask reportError setTimeout setInterval structuredClone
  fetch`.split(/\s+/);
const values = "globalThis navigator onerror onunhandledrejection onrejectionhandled self console crypto performance".split(" ");

test("the global has what ECMA-429 asks for", async (t) => {
  for (const name of interfaces) {
    await t.test(name, () => {
      const { value: Class, enumerable, configurable, writable } = Object.getOwnPropertyDescriptor(global, name);
      assert.deepEqual({ enumerable, configurable, writable }, { enumerable: false, configurable: true, writable: true });
      assert.equal(Class.name, name);
      assert.equal(Object.getOwnPropertyDescriptor(Class.prototype, Symbol.toStringTag).value, name);
      assert.equal(Object.getOwnPropertyDescriptor(Class, "prototype").writable, false);
      assert.throws(() => Class(), { name: "TypeError" });
      for (const key of Object.getOwnPropertyNames(Class.prototype)) {
        const property = Object.getOwnPropertyDescriptor(Class.prototype, key);
        if (key === "constructor") assert.equal(property.value, Class);
        else assert.equal(property.enumerable, true, `${name}.${key} is not enumerable`);
        assert.ok(!key.startsWith("_"), `${name}.${key} is public`);
        if (typeof property.value === "function" && key !== "constructor") assert.equal(property.value.name, key);
      }
    });
  }
  for (const name of functions) {
    await t.test(name, () => {
      const { value, enumerable } = Object.getOwnPropertyDescriptor(global, name);
      assert.deepEqual([value.name, enumerable], [name, true]);
    });
  }
  for (const name of values) {
    await t.test(name, () => assert.ok(run(`${JSON.stringify(name)} in globalThis`)));
  }
});

test("accessors refuse a wrong receiver", () => {
  for (const name of interfaces) {
    const Class = global[name];
    for (const key of Object.keys(Class.prototype)) {
      const { get } = Object.getOwnPropertyDescriptor(Class.prototype, key);
      if (get === undefined) continue;
      // Promises of streams reject, all others throw.
      const result = (() => {
        try {
          return get.call({});
        } catch (error) {
          assert.equal(error.name, "TypeError", `${name}.${key}`);
          return undefined;
        }
      })();
      if (result !== undefined) assert.equal(typeof result.then, "function", `${name}.${key}`), result.catch(() => {});
    }
  }
});

test("self, navigator and performance", () => {
  assert.ok(run("self === globalThis"));
  assert.equal(run("navigator.userAgent"), "NANO");
  assert.ok(Math.abs(run("performance.timeOrigin + performance.now()") - Date.now()) < 1000);
  assert.equal(run(`{ performance.mark("a", { startTime: 1, detail: { x: 1 } }); performance.mark("b", { startTime: 3 }); const m = performance.measure("m", "a", "b"); [m.duration, m.startTime, performance.getEntriesByType("mark").length, performance.getEntriesByName("a")[0].detail.x].join(); }`), "2,1,2,1");
  assert.equal(run(`performance.clearMarks("a"); performance.getEntriesByType("mark").length`), 1);
  assert.throws(() => run(`performance.measure("m", "gone")`), { name: "SyntaxError" });
  assert.equal(run(`for (let i = 0; i < 5000; i++) performance.mark("x"); performance.getEntries().length`), 1000);
  assert.equal(run(`Object.prototype.toString.call(performance)`), "[object Performance]");
});

test("crypto", async (t) => {
  await t.test("getRandomValues", () => {
    assert.ok(run(`{ const a = new Uint32Array(8); crypto.getRandomValues(a) === a && a.some((x) => x !== 0); }`));
    assert.ok(run(`crypto.getRandomValues(new BigInt64Array(1)) instanceof BigInt64Array`));
    assert.throws(() => run("crypto.getRandomValues(new Float32Array(1))"), { name: "TypeMismatchError" });
    assert.throws(() => run("crypto.getRandomValues(new DataView(new ArrayBuffer(1)))"), { name: "TypeMismatchError" });
    assert.throws(() => run("crypto.getRandomValues(new Uint8Array(65537))"), { name: "QuotaExceededError" });
  });
  await t.test("randomUUID", () => {
    const seen = new Set();
    for (let i = 0; i < 1000; i++) {
      const uuid = global.crypto.randomUUID();
      assert.match(uuid, /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
      seen.add(uuid);
    }
    assert.equal(seen.size, 1000);
  });
  await t.test("digest", async () => {
    posted.length = 0;
    const promise = run(`crypto.subtle.digest({ name: "sha-256" }, new Uint8Array([1, 2]))`);
    const [op, call, name, bytes] = posted[0];
    assert.deepEqual([op, name, [...bytes]], [37, "SHA-256", [1, 2]]);
    dispatch(3, call, run("new Uint8Array([7])"));
    assert.deepEqual([...new Uint8Array(await promise)], [7]);
    await assert.rejects(run(`crypto.subtle.digest("MD5", new Uint8Array())`), { name: "NotSupportedError" });
    await assert.rejects(run(`crypto.subtle.digest("SHA-1", "text")`), { name: "TypeError" });
  });
  await t.test("classes", () => {
    for (const name of ["Crypto", "SubtleCrypto", "CryptoKey"]) assert.throws(() => run(`new ${name}()`), { name: "TypeError" });
  });
});

test("streams", async (t) => {
  await t.test("what is used of their insides", async () => {
    assert.equal(run("new ReadableStream()._disturbed"), false);
    assert.equal(run("{ const s = new ReadableStream(); s.getReader().read(); s._disturbed; }"), true);
    assert.equal(run("{ const s = new ReadableStream(); s.cancel(); s._disturbed; }"), true);
  });
  await t.test("from, iteration and pipes", async () => {
    const parts = await run(`(async () => {
      const parts = [];
      const upper = new TransformStream({ transform(chunk, controller) { controller.enqueue(chunk.toUpperCase()); } });
      for await (const part of ReadableStream.from(["a", "b"]).pipeThrough(upper)) parts.push(part);
      return parts;
    })()`);
    assert.deepEqual([...parts], ["A", "B"]);
  });
  await t.test("BYOB and tee", async () => {
    assert.equal(await run(`(async () => {
      const bytes = new ReadableStream({ type: "bytes", start(c) { c.enqueue(new Uint8Array([1, 2, 3])); c.close(); } });
      const [a, b] = bytes.tee();
      const { value } = await a.getReader({ mode: "byob" }).read(new Uint8Array(2));
      let sum = 0;
      for await (const chunk of b) for (const byte of chunk) sum += byte;
      return value.length + ":" + sum;
    })()`), "2:6");
  });
  await t.test("an aborted pipe", async () => {
    assert.equal(await run(`(async () => {
      const controller = new AbortController();
      const pipe = new ReadableStream().pipeTo(new WritableStream(), { signal: controller.signal });
      controller.abort();
      return pipe.catch((error) => error.name);
    })()`), "AbortError");
  });
});

test("URLPattern", () => {
  const { URLPattern } = global;
  const pattern = new URLPattern({ pathname: "/books/:id(\\d+)" });
  assert.equal(pattern.exec("http://h/books/12").pathname.groups.id, "12");
  assert.equal(pattern.test("http://h/books/x"), false);
  assert.equal(pattern.hasRegExpGroups, true);
  assert.equal(new URLPattern("/a/*", "http://h:81").test("http://h:81/a/b"), true);
  assert.equal(new URLPattern({ pathname: "/A" }, { ignoreCase: true }).test({ pathname: "/a" }), true);
  assert.throws(() => new URLPattern("/relative"), { name: "TypeError" });
  assert.throws(() => new URLPattern({ pathname: "/:" }), { name: "TypeError" });
});

test("WebAssembly streaming", async () => {
  const module = "Uint8Array.of(0, 97, 115, 109, 1, 0, 0, 0)";
  const response = `new Response(${module}, { headers: { "content-type": "application/wasm" } })`;
  assert.ok(await run(`WebAssembly.compileStreaming(${response}).then((m) => m instanceof WebAssembly.Module)`));
  assert.ok(await run(`WebAssembly.instantiateStreaming(Promise.resolve(${response})).then(({ instance }) => instance instanceof WebAssembly.Instance)`));
  await assert.rejects(run(`WebAssembly.compileStreaming(new Response(${module}))`), { name: "TypeError" });
  await assert.rejects(run("WebAssembly.compileStreaming(5)"), { name: "TypeError" });
});

test("the context slot", () => {
  assert.equal(run(`{ const slot = globalThis[Symbol.for("nano.context")]; const before = slot.get(); slot.set("v"); const during = slot.get(); slot.set(before); [before, during, slot.get()].join(); }`), ",v,");
});

test("evaluation leaves nothing behind", async () => {
  const { posted, early, run } = await newContext();
  assert.deepEqual([posted, early], [[], []]);
  run("setTimeout(() => {}, 7)");
  assert.deepEqual(posted[0].slice(2), [7]);
});
