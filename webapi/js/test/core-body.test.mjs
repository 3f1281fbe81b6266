// Bodies: what they are made of, how they are read, and what their streams show.

import { cases } from "./cases.mjs";

cases("what bodies are made of", [
  [`const r = new Response(new Uint8Array([255, 0])); return [r.headers.get("content-type"), [...await r.bytes()]]`, [null, [255, 0]]],
  [`const b = new Uint8Array([1, 2, 3, 4]); const r = new Response(b.subarray(1, 3)); b.fill(9); return [...await r.bytes()]`, [2, 3]],
  [`[...await new Response(new Uint16Array([1, 2])).bytes()]`, [1, 0, 2, 0]],
  [`[...await new Response(new DataView(new Uint8Array([1, 2, 3]).buffer, 1)).bytes()]`, [2, 3]],
  [`[...await new Response(new Uint8Array([7]).buffer).bytes()]`, [7]],
  [`const r = new Response(new Blob(["hé"], { type: "a/b" })); return [r.headers.get("content-type"), await r.text()]`, ["a/b", "hé"]],
  [`new Response(new Blob(["x"])).headers.get("content-type")`, null],
  [`const r = new Response(new URLSearchParams("a=1&b= ")); return [r.headers.get("content-type"), await r.text()]`,
    ["application/x-www-form-urlencoded;charset=UTF-8", "a=1&b=+"]],
  [`await new Response(123).text() + await new Response({}).text() + await new Response([1, 2]).text()`, "123[object Object]1,2"],
  [`new Response(Symbol("x"))`, "TypeError"],
  [`await new Response("\\ud800").text()`, "\ufffd"],
  [`[...await new Response("\\ud800").bytes()]`, [0xef, 0xbf, 0xbd]],
  [`const f = new FormData(); f.append("a", "1"); f.append("b", new File(["x\\0y"], "n\\"m", { type: "t/u" })); const r = new Response(f); const g = await r.formData(); const b = g.get("b"); return [r.headers.get("content-type").split(";")[0], g.get("a"), b.name, b.type, b.size]`,
    ["multipart/form-data", "1", 'n"m', "t/u", 3]],
  [`const s = new ReadableStream(); s.getReader(); return new Response(s)`, "TypeError"],
  [`const s = new ReadableStream({ start(c) { c.enqueue(new Uint8Array(1)) } }); const r = s.getReader(); await r.read(); r.releaseLock(); return new Response(s)`, "TypeError"],
]);

cases("reading", [
  [`await new Response("\\ufeffabc").text()`, "abc"],
  [`await new Response(new Uint8Array([0xef, 0xbb, 0xbf, 97])).text()`, "a"],
  [`await new Response(new Uint8Array([0xff])).text()`, "\ufffd"],
  [`await new Response('\\ufeff{"a":1}').json()`, { a: 1 }],
  [`await new Response("{").json()`, "SyntaxError"],
  [`await new Response().json()`, "SyntaxError"],
  [`[await new Response().text(), (await new Response().arrayBuffer()).byteLength, (await new Response().bytes()).length, (await new Response().blob()).size]`, ["", 0, 0, 0]],
  [`await new Response().formData()`, "TypeError"],
  [`await new Response("x").formData()`, "TypeError"],
  [`await new Response("a=b").formData()`, "TypeError"],
  [`const f = await new Response("a=b&c=%20", { headers: { "content-type": "application/x-www-form-urlencoded; charset=x" } }).formData(); return [...f]`, [["a", "b"], ["c", " "]]],
  [`await new Response("x", { headers: { "content-type": "multipart/form-data" } }).formData()`, "TypeError"],
  [`(await new Response("x", { headers: { "content-type": "Text/HTML; Charset=\\"utf-8\\"" } }).blob()).type`, "text/html;charset=utf-8"],
  [`(await new Response("x", { headers: { "content-type": "nonsense" } }).blob()).type`, ""],
  [`const b = await new Response("ab").arrayBuffer(); return [b.byteLength, Object.prototype.toString.call(b)]`, [2, "[object ArrayBuffer]"]],
  [`const r = new Response("x"); await r.text(); return r.text().then(() => 0, (e) => e.name)`, "TypeError"],
  [`const r = new Response("x"); const p = r.text(); return [r.bodyUsed, await p]`, [true, "x"]],
  [`const r = new Response("x"); r.body.getReader(); return r.text().then(() => 0, (e) => e.name)`, "TypeError"],
  [`const r = new Response("x"); r.body; return [r.bodyUsed, await r.text(), r.bodyUsed, r.body.locked]`, [false, "x", true, true]],
  [`const r = new Response("x"); await r.text(); return [r.body === r.body, r.body.locked]`, [true, true]],
  [`const r = new Response(new Uint8Array([1])); const s = r.clone(); const a = await r.bytes(); a[0] = 9; return [...await s.bytes()]`, [1]],
]);

cases("streams", [
  [`const r = new Response("abc"); const c = r.body.getReader(); const { value, done } = await c.read(); return [[...value], done, (await c.read()).done, r.bodyUsed]`, [[97, 98, 99], false, true, true]],
  [`const r = new Response("abc"); const c = r.body.getReader({ mode: "byob" }); const { value } = await c.read(new Uint8Array(2)); const rest = await c.read(new Uint8Array(2)); const end = await c.read(new Uint8Array(2)); return [[...value], [...rest.value], end.done]`, [[97, 98], [99], true]],
  [`const r = new Response(""); return [r.body !== null, (await r.body.getReader().read()).done]`, [true, true]],
  [`let text = ""; for await (const chunk of new Response("abc").body) text += chunk.length; return text`, "3"],
  [`const s = new ReadableStream({ start(c) { c.enqueue("x"); c.close() } }); return new Response(s).text().then(() => 0, (e) => e.name)`, "TypeError"],
  [`const s = new ReadableStream({ pull(c) { c.error(new RangeError("no")) } }); return new Response(s).text().then(() => 0, (e) => e.name)`, "RangeError"],
  [`let n = 0; const s = new ReadableStream({ pull(c) { if (n++ === 3) c.close(); else c.enqueue(new TextEncoder().encode("ab")) } }); const r = new Response(s); return [r.body === s, await r.text(), r.bodyUsed]`, [true, "ababab", true]],
  [`const s = new ReadableStream({ start(c) { c.enqueue(new TextEncoder().encode("ab")); c.close() } }); const r = new Response(s); const t = r.clone(); return [await r.text(), await t.text()]`, ["ab", "ab"]],
  [`const r = new Response("ab"); r.body; const t = r.clone(); return [await r.text(), await t.text()]`, ["ab", "ab"]],
  [`const r = new Response("ab"); await r.body.cancel(); return [r.bodyUsed, await r.text().then(() => 0, (e) => e.name)]`, [true, "TypeError"]],
  [`const { readable, writable } = new TransformStream(); const r = new Response(readable); const w = writable.getWriter(); w.write(new Uint8Array([104])); w.close(); return r.text()`, "h"],
  [`await new Response(new Response("ab").body.pipeThrough(new TextDecoderStream()).pipeThrough(new TextEncoderStream())).text()`, "ab"],
]);
