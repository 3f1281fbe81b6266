// FormData on the wire, against what Node reads and writes.

import assert from "node:assert/strict";
import { test } from "node:test";
import { newContext } from "./harness.mjs";

const { global } = await newContext();
const { Blob, File, FormData, Response } = global;

const names = ["a", "ü", "with \"quotes\"", "line\nbreak", "cr\r", "tab\t", "", "a;b=c", "back\\slash"];

test("what we write, Node reads", async () => {
  const form = new FormData();
  for (const name of names) form.append(name, `value of ${name}\nnext`);
  form.append("file", new File([Uint8Array.of(0, 13, 10, 255)], "ä\"b\".bin", { type: "x/y" }));
  form.append("blob", new Blob(["--\r\n"]));
  const ours = new Response(form);
  const bytes = await ours.arrayBuffer();
  const theirs = await new globalThis.Response(new Uint8Array(new Uint8Array(bytes)), { headers: { "content-type": ours.headers.get("content-type") } }).formData();
  assert.deepEqual([...theirs.keys()], [...names.map((name) => name.replace(/\r\n?|\n/g, "\r\n")), "file", "blob"]);
  assert.equal(theirs.get("ü"), "value of ü\r\nnext");
  const file = theirs.get("file");
  assert.deepEqual([file.name, file.type, [...new Uint8Array(await file.arrayBuffer())]], ["ä\"b\".bin", "x/y", [0, 13, 10, 255]]);
  assert.deepEqual([theirs.get("blob").name, await theirs.get("blob").text()], ["blob", "--\r\n"]);
});

test("what Node writes, we read", async () => {
  const form = new globalThis.FormData();
  for (const name of names) form.append(name, `value of ${name}`);
  form.append("file", new globalThis.File([Uint8Array.of(0, 13, 10, 255)], "ä\"b\".bin", { type: "x/y" }));
  const theirs = new globalThis.Response(form);
  const body = new Uint8Array(await theirs.arrayBuffer());
  const ours = await new Response(body, { headers: { "content-type": theirs.headers.get("content-type") } }).formData();
  assert.deepEqual([...ours.keys()], [...names.map((name) => name.replace(/\r\n?|\n/g, "\r\n")), "file"]);
  const file = ours.get("file");
  assert.deepEqual([file instanceof File, file.name, file.type, [...await file.bytes()]], [true, "ä\"b\".bin", "x/y", [0, 13, 10, 255]]);
});

const parse = async (text, type = "multipart/form-data; boundary=XX") => {
  const form = await new Response(new TextEncoder().encode(text), { headers: { "content-type": type } }).formData();
  return [...form].map(([name, value]) => [name, typeof value === "string" ? value : `${value.name}:${value.type}`]);
};

test("forms as others write them", async (t) => {
  for (const [name, text, want] of [
    ["nothing", "--XX--\r\n", []],
    ["preamble and epilogue", "before\r\n--XX\r\nContent-Disposition: form-data; name=a\r\n\r\n1\r\n--XX--after", [["a", "1"]]],
    ["an empty value", "--XX\r\ncontent-disposition:form-data;name=\"a\"\r\n\r\n\r\n--XX--", [["a", ""]]],
    ["an empty file", "--XX\r\nContent-Disposition: form-data; name=\"f\"; filename=\"\"\r\nContent-Type: application/octet-stream\r\n\r\n\r\n--XX--", [["f", ":application/octet-stream"]]],
    ["a file without a type", "--XX\r\nContent-Disposition: form-data; filename=\"n\"; name=\"f\"\r\n\r\nx\r\n--XX--", [["f", "n:text/plain"]]],
    ["other headers, spaces after the boundary", "--XX  \r\nX-A: b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n--XX\t\r\nContent-Disposition: form-data; name=\"b\"\r\n\r\n2\r\n--XX--", [["a", "1"], ["b", "2"]]],
    ["a boundary's start in the value", "--XX\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n\r\n--X\r\n-\r\n--XX--", [["a", "\r\n--X\r\n-"]]],
  ]) await t.test(name, async () => assert.deepEqual(await parse(text), want));
});

test("broken forms reject", async (t) => {
  for (const [name, text, type] of [
    ["no boundary in the type", "--XX--", "multipart/form-data"],
    ["another boundary", "--YY--", undefined],
    ["no end", "--XX\r\nContent-Disposition: form-data; name=a\r\n\r\n1", undefined],
    ["no name", "--XX\r\nContent-Disposition: form-data\r\n\r\n1\r\n--XX--", undefined],
    ["not form-data", "--XX\r\nContent-Disposition: attachment; name=a\r\n\r\n1\r\n--XX--", undefined],
    ["headers without an end", "--XX\r\nContent-Disposition: form-data; name=a", undefined],
    ["nothing", "", undefined],
    ["another type", "a=b", "text/plain"],
  ]) await t.test(name, () => assert.rejects(parse(text, type), { name: "TypeError" }));
});

test("urlencoded", async () => {
  assert.deepEqual(await parse("a=1&b=%C3%A4+x&a=", "application/x-www-form-urlencoded"), [["a", "1"], ["b", "ä x"], ["a", ""]]);
});
