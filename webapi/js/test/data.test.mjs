// Text, bytes, Base64, blobs, forms, clones and messages: against Node's own where Node's is right.

import assert from "node:assert/strict";
import { test } from "node:test";
import { newContext } from "./harness.mjs";

const { global, posted, run, dispatch } = await newContext();
const { Blob, DOMException, File, FormData, MessageChannel, TextDecoder, TextEncoder, atob, btoa, structuredClone } = global;

// plain makes an object of the other context comparable.
const plain = (value) => JSON.parse(JSON.stringify(value));

function outcome(fn) {
  try {
    return fn();
  } catch (error) {
    return error.name;
  }
}

function random(seed) {
  return (n) => {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    return Math.floor((seed / 2 ** 32) * n);
  };
}

test("TextDecoder against Node's, whole and in pieces", () => {
  const next = random(1);
  const pieces = [[0x41], [0xc3, 0xa4], [0xe2, 0x82, 0xac], [0xf0, 0x9f, 0x98, 0x80], [0xef, 0xbb, 0xbf], [0xc3], [0xe2, 0x82], [0xf0, 0x9f], [0x80], [0xff], [0xed, 0xa0, 0x80], [0xe0, 0x80], [0xf4, 0x90], [0xc0, 0xaf], [0xf0, 0x90, 0xc0]];
  for (let i = 0; i < 20_000; i++) {
    const bytes = [];
    for (let n = next(6); n > 0; n--) bytes.push(...pieces[next(pieces.length)]);
    const options = { fatal: next(2) === 0, ignoreBOM: next(2) === 0 };
    const cuts = [0, next(bytes.length + 1), next(bytes.length + 1), bytes.length].sort((a, b) => a - b);
    const read = (Decoder) => {
      const decoder = new Decoder("utf-8", options);
      return outcome(() => {
        let text = decoder.decode(new Uint8Array(bytes)) + "|";
        for (let c = 0; c < 3; c++) text += decoder.decode(new Uint8Array(bytes.slice(cuts[c], cuts[c + 1])), { stream: c < 2 });
        return text;
      });
    };
    assert.equal(read(TextDecoder), read(globalThis.TextDecoder), `${bytes} ${cuts} ${JSON.stringify(options)}`);
  }
});

test("TextDecoder", () => {
  for (const [label, name] of [["UTF8", "utf-8"], [" utf-8\n", "utf-8"], ["latin1", "windows-1252"], ["utf-16", "utf-16le"], ["sjis", "shift_jis"], ["gb2312", "gbk"], ["x-user-defined", "x-user-defined"]]) {
    assert.equal(new TextDecoder(label).encoding, name);
  }
  for (const label of ["", "nothing", "replacement", "utf-8\0", "utf-7"]) assert.throws(() => new TextDecoder(label), { name: "RangeError" });
  assert.equal(new TextDecoder("shift_jis").decode(Uint8Array.of(0x82, 0xa0)), "あ");
  assert.equal(new TextDecoder("windows-1252").decode(Uint8Array.of(0x80, 0xe4)), "€ä");
  assert.equal(new TextDecoder("utf-16be").decode(Uint8Array.of(0xfe, 0xff, 0, 0x41)), "A");
  assert.equal(new TextDecoder().decode(new Uint16Array([0x4241]).buffer), "AB");
  assert.equal(new TextDecoder().decode(new DataView(Uint8Array.of(1, 0x41, 2).buffer, 1, 1)), "A");
  assert.throws(() => new TextDecoder().decode("a"), { name: "TypeError" });
});

test("TextEncoder", () => {
  assert.deepEqual([...new TextEncoder().encode("aä\ud800")], [0x61, 0xc3, 0xa4, 0xef, 0xbf, 0xbd]);
  assert.equal(new TextEncoder().encode().length, 0);
  assert.equal(new TextEncoder().encode(undefined).length, 0);
  const target = new Uint8Array(4);
  assert.deepEqual(plain(new TextEncoder().encodeInto("aä€", target)), { read: 2, written: 3 });
  assert.throws(() => new TextEncoder().encodeInto("a", new Int8Array(1)), { name: "TypeError" });
  assert.throws(() => TextEncoder.prototype.encode.call({}, ""), { name: "TypeError" });
});

test("encoding streams", async () => {
  const through = async (stream, chunks) => {
    const writer = stream.writable.getWriter();
    const written = Promise.all([...chunks.map((chunk) => writer.write(chunk)), writer.close()]);
    written.catch(() => {});
    const parts = [];
    for await (const part of stream.readable) parts.push(typeof part === "string" ? part : [...part]);
    await written;
    return parts;
  };
  assert.deepEqual(await through(new global.TextEncoderStream(), ["a", "\ud83d", "\ude00", "\ud800"]), [[0x61], [0xf0, 0x9f, 0x98, 0x80], [0xef, 0xbf, 0xbd]]);
  assert.deepEqual(await through(new global.TextDecoderStream(), [Uint8Array.of(0xe2), Uint8Array.of(0x82, 0xac, 0x41, 0xc3)]), ["€A", "\ufffd"]);
  await assert.rejects(through(new global.TextDecoderStream(), ["text"]), { name: "TypeError" });
  assert.equal(new global.TextDecoderStream("latin1", { fatal: true }).encoding, "windows-1252");
});

test("atob and btoa against Node's", () => {
  const next = random(2);
  const pieces = ["a", "Z", "+", "/", "=", "==", " ", "\n", "9", "-", "é", "\0", "AA", "AAAA", "\u0100"];
  for (let i = 0; i < 20_000; i++) {
    let text = "";
    for (let n = next(7); n > 0; n--) text += pieces[next(pieces.length)];
    assert.equal(outcome(() => atob(text)), outcome(() => globalThis.atob(text)), JSON.stringify(text));
    assert.equal(outcome(() => btoa(text)), outcome(() => globalThis.btoa(text)), JSON.stringify(text));
  }
  const long = "\0\xff".repeat(5000);
  assert.equal(atob(btoa(long)), long);
  assert.equal(atob(null), globalThis.atob(null));
});

test("Blob and File", async (t) => {
  await t.test("parts", async () => {
    const bytes = Uint8Array.of(1, 2, 3);
    const blob = new Blob(["ä", bytes, bytes.buffer, new DataView(bytes.buffer, 1, 1), new Blob(["x"]), 5], { type: "Text/Plain" });
    bytes[0] = 9;
    assert.deepEqual([...await blob.bytes()], [0xc3, 0xa4, 1, 2, 3, 1, 2, 3, 2, 0x78, 0x35]);
    assert.deepEqual([blob.size, blob.type], [11, "text/plain"]);
    assert.equal(new Blob([], { type: "é" }).type, "");
    assert.equal(await new Blob(["a\r\nb\rc\n"], { endings: "native" }).text(), "a\nb\nc\n");
    assert.equal(await new Blob(["\ufeffa"]).text(), "a");
    for (const parts of ["text", 1, {}]) assert.throws(() => new Blob(parts), { name: "TypeError" });
    assert.throws(() => new Blob([], { endings: "x" }), { name: "TypeError" });
  });
  await t.test("slice", async () => {
    const blob = new Blob(["0123456789"]);
    for (const [args, want] of [[[], "0123456789"], [[2], "23456789"], [[2, 4], "23"], [[-3], "789"], [[-3, -1], "78"], [[5, 2], ""], [[NaN, 1], "0"], [[0, 99], "0123456789"]]) {
      assert.equal(await blob.slice(...args).text(), want, `${args}`);
    }
    assert.equal(blob.slice(0, 1, "A/B").type, "a/b");
  });
  await t.test("stream", async () => {
    let size = 0;
    let chunks = 0;
    for await (const chunk of new Blob([new Uint8Array(200_000)]).stream()) {
      size += chunk.length;
      chunks++;
    }
    assert.deepEqual([size, chunks > 1], [200_000, true]);
  });
  await t.test("File", () => {
    const file = new File(["x"], "a\ud800", { type: "a/b", lastModified: 5.5 });
    assert.deepEqual([file.name, file.type, file.lastModified, file.size], ["a\ufffd", "a/b", 5, 1]);
    assert.ok(file instanceof Blob);
    assert.throws(() => new File(["x"]), { name: "TypeError" });
    assert.equal(Object.prototype.toString.call(file), "[object File]");
  });
  await t.test("a wrong receiver rejects", async () => {
    await assert.rejects(Blob.prototype.text.call({}), { name: "TypeError" });
  });
});

test("FormData", () => {
  const form = new FormData();
  form.append("a", "1");
  form.append("b", new Blob(["x"]));
  form.append("a", "2");
  form.append("f", new File(["y"], "y.txt", { lastModified: 3 }), "z.txt");
  assert.deepEqual([...form.keys()], ["a", "b", "a", "f"]);
  assert.deepEqual([form.get("b").name, form.get("f").name, form.get("f").lastModified], ["blob", "z.txt", 3]);
  assert.deepEqual([...form.getAll("a")], ["1", "2"]);
  form.set("a", "3");
  assert.deepEqual([...form].map(([key]) => key), ["a", "b", "f"]);
  form.delete("b");
  assert.equal(form.get("b"), null);
  assert.equal(form.has("f"), true);
  assert.throws(() => form.append("a", "b", "c"), { name: "TypeError" });
  assert.throws(() => form.append("a"), { name: "TypeError" });
  assert.throws(() => new FormData({}), { name: "TypeError" });
  assert.equal(Object.prototype.toString.call(form.entries()), "[object FormData Iterator]");
});

test("what is moved with a view of it", () => {
  assert.equal(run(`{ const u8 = new Uint8Array([1, 2, 3]); structuredClone(u8, { transfer: [u8.buffer] }).join(); }`), "1,2,3");
  assert.equal(run(`{ const view = new DataView(new Uint8Array([7, 8]).buffer, 1); structuredClone({ view }, { transfer: [view.buffer] }).view.getUint8(0); }`), 8);
});

test("structuredClone", async (t) => {
  await t.test("values", () => {
    for (const value of [undefined, null, true, 5, -0, NaN, 10n, "x"]) assert.ok(Object.is(structuredClone(value), value));
    const clone = run(`structuredClone({ a: [1, , 3], m: new Map([[{}, new Set([1])]]), d: new Date(5), r: /x/gi, n: Object(1), e: new RangeError("m"), ["__proto__"]: 7 })`);
    assert.deepEqual([clone.a.length, 1 in clone.a, clone.m.size, clone.d.getTime(), `${clone.r}`, +clone.n, clone.e.message, clone.e.name], [3, false, 1, 5, "/x/gi", 1, "m", "RangeError"]);
    assert.equal(Object.getOwnPropertyDescriptor(clone, "__proto__").value, 7);
  });
  await t.test("cycles and sharing", () => {
    assert.ok(run(`{ const a = { list: [] }; a.self = a; a.list.push(a.list); const c = structuredClone(a); c !== a && c.self === c && c.list[0] === c.list; }`));
    assert.ok(run(`{ const b = new Uint8Array([1, 2, 3, 4]); const c = structuredClone([b.subarray(1, 3), new DataView(b.buffer), b.buffer]); c[0].buffer === c[2] && c[1].buffer === c[2] && c[0].byteOffset === 1 && c[0].length === 2 && c[2] !== b.buffer; }`));
  });
  await t.test("the platform's objects", async () => {
    const file = structuredClone(new File(["x"], "n", { type: "a/b", lastModified: 4 }));
    assert.deepEqual([file instanceof File, file.name, file.type, file.lastModified, await file.text()], [true, "n", "a/b", 4, "x"]);
    const error = structuredClone(new DOMException("m", "DataError"));
    assert.deepEqual([error instanceof DOMException, error.name, error.message], [true, "DataError", "m"]);
  });
  await t.test("classes become plain objects, getters run once", () => {
    assert.ok(run(`{ let n = 0; class A { x = 1; get y() { return 2; } } const c = structuredClone({ a: new A(), get g() { return ++n; } }); Object.getPrototypeOf(c.a) === Object.prototype && c.a.x === 1 && !("y" in c.a) && c.g === 1 && n === 1; }`));
  });
  await t.test("refuses", () => {
    for (const code of ["() => {}", "Symbol()", "new WeakMap()", "Promise.resolve()", "new Event('x')", "new AbortController()", "new Response()", "new Headers()", "new URL('http://a')", "new ReadableStream()", "globalThis.crypto", "{ a: { b() {} } }", "new AbortController().signal"]) {
      assert.equal(run(`(() => { try { structuredClone(${code.startsWith("{") ? `(${code})` : code}); return "none"; } catch (e) { return e.name + (e instanceof DOMException); } })()`), "DataCloneErrortrue", code);
    }
    assert.throws(() => structuredClone(), { name: "TypeError" });
  });
  await t.test("transfer", () => {
    assert.ok(run(`{ const b = new ArrayBuffer(4); const v = new Uint8Array(b, 1, 2); const c = structuredClone({ v, b, m: new Map([[b, v]]), s: new Set([v]) }, { transfer: [b] }); b.detached && c.v.buffer === c.b && c.v.byteOffset === 1 && c.m.get(c.b) === c.v && c.s.has(c.v) && c.b.byteLength === 4; }`));
    assert.equal(run(`(() => { const b = new ArrayBuffer(4); try { structuredClone(() => {}, { transfer: [b] }); } catch (e) { return e.name + b.detached; } })()`), "DataCloneErrorfalse");
    for (const list of ["[{}]", "[1]", "(b => [b, b])(new ArrayBuffer(1))"]) {
      assert.equal(run(`(() => { try { structuredClone(1, { transfer: ${list} }); } catch (e) { return e.name; } })()`), "DataCloneError", list);
    }
  });
});

test("MessageChannel", () => {
  posted.length = 0;
  const turn = () => {
    const timers = posted.splice(0).filter(([op]) => op === 8);
    for (const [, id] of timers) dispatch(5, id);
    return timers.length;
  };
  const { port1, port2 } = new MessageChannel();
  const got = [];
  port1.postMessage({ n: 1 });
  port1.postMessage(2);
  assert.equal(turn(), 0);
  port2.onmessage = (event) => got.push(event.data, event.target === port2, event.ports.length);
  assert.equal(turn(), 1); // one timer for both
  assert.deepEqual(plain(got), [{ n: 1 }, true, 0, 2, true, 0]);
  const inner = new MessageChannel();
  inner.port1.postMessage("early");
  let moved;
  port2.onmessage = (event) => { moved = event.ports[0]; };
  port1.postMessage(inner.port2, [inner.port2]);
  turn();
  const late = [];
  moved.onmessage = (event) => late.push(event.data);
  inner.port1.postMessage("late");
  turn();
  assert.deepEqual(late, ["early", "late"]);
  assert.throws(() => port1.postMessage(1, [inner.port2]), { name: "DataCloneError" });
  assert.throws(() => port1.postMessage(() => {}), { name: "DataCloneError" });
  const bytes = run(`new Uint8Array([4, 5])`);
  let data;
  port2.onmessage = (event) => { data = event.data; };
  port1.postMessage(bytes, [bytes.buffer]);
  turn();
  assert.equal(data.join(), "4,5");
  port1.close();
  port2.postMessage("nobody");
  assert.equal(turn(), 0);
  assert.throws(() => new global.MessagePort(), { name: "TypeError" });
});
