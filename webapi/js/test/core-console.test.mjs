// The console: what becomes of a call's arguments in the log.

import assert from "node:assert/strict";
import { test } from "node:test";
import { newContext } from "./harness.mjs";

const { run, posted } = await newContext();

// log runs a program and answers the lines that it logged, as [level, text].
function log(program) {
  posted.length = 0;
  run(program);
  return posted.filter(([op]) => op === 10).map(([, , level, text]) => [level, text]);
}

const shown = [
  [`"a"`, "a"],
  [`"a", "b", 1, true, null, undefined, 10n, -0`, "a b 1 true null undefined 10n -0"],
  [`Symbol("x")`, "Symbol(x)"],
  [`["a", 'it\\'s', "x\\ny"]`, `[ 'a', "it's", 'x\\ny' ]`],
  [`{}`, "{}"],
  [`[]`, "[]"],
  [`{ a: 1, "b-c": { d: [] }, [Symbol("s")]: 2 }`, "{ a: 1, 'b-c': { d: [] }, [Symbol(s)]: 2 }"],
  [`{ a: { b: { c: { d: 1 } } } }`, "{\n  a: { b: { c: [Object] } }\n}".replace("{\n  a: { b: { c: [Object] } }\n}", "{ a: { b: { c: [Object] } } }")],
  [`(() => { const a = { b: {} }; a.b.c = a; return a })()`, "{ b: { c: [Circular] } }"],
  [`[1, , 3]`, "[ 1, <1 empty item>, 3 ]"],
  [`Object.assign([1], { x: 2 })`, "[ 1, x: 2 ]"],
  [`new Array(5)`, "[ <5 empty items> ]"],
  [`new Map([["a", { b: 1 }]])`, "Map(1) { 'a' => { b: 1 } }"],
  [`new Set([1, "a"])`, "Set(2) { 1, 'a' }"],
  [`new (class Foo { x = 1; #y = 2 })()`, "Foo { x: 1 }"],
  [`new (class Foo extends Map {})([[1, 2]])`, "Foo(1) [Map] { 1 => 2 }"],
  [`Object.create(null)`, "[Object: null prototype] {}"],
  [`new Uint8Array([1, 2])`, "Uint8Array(2) [ 1, 2 ]"],
  [`new BigInt64Array([1n])`, "BigInt64Array(1) [ 1n ]"],
  [`new Uint8Array([1, 255]).buffer`, "ArrayBuffer { [Uint8Contents]: <01 ff>, byteLength: 2 }"],
  [`new Date(0)`, "1970-01-01T00:00:00.000Z"],
  [`new Date(NaN)`, "Invalid Date"],
  [`/a\\/b/gi`, "/a\\/b/gi"],
  [`function f() {}, () => {}, class A {}, class B extends Map {}, async function g() {}`,
    "[Function: f] [Function (anonymous)] [class A] [class B extends Map] [AsyncFunction: g]"],
  [`[Object("x"), Object(1), Object(1n), Object(true)]`, "[ [String: 'x'], [Number: 1], [BigInt: 1n], [Boolean: true] ]"],
  [`{ get a() { throw 1 }, set b(v) {}, get c() { return 1 }, set c(v) {} }`, "{ a: [Getter], b: [Setter], c: [Getter/Setter] }"],
  [`new WeakMap()`, "WeakMap { <items unknown> }"],
  [`Object.assign(new Error("no"), { stack: "Error: no\\n    at x" })`, "Error: no\n    at x"],
  [`Object.assign(new Error("no", { cause: "why" }), { stack: "Error: no", code: 7 })`, "Error: no { [cause]: 'why', code: 7 }"],
  [`(() => { const e = new TypeError("no"); delete e.stack; return e })()`, "[TypeError: no]"],
  [`new Headers({ b: "2", a: "1" })`, "Headers { a: '1', b: '2' }"],
  [`new URLSearchParams("a=1&a=2")`, "URLSearchParams { a: '1', a: '2' }"],
  [`new Blob(["abc"], { type: "t/u" })`, "Blob { size: 3, type: 't/u' }"],
  [`{ toString() { throw 1 }, [Symbol.toStringTag]: "Tag" }`, "Object [Tag] { toString: [Function: toString], [Symbol(Symbol.toStringTag)]: 'Tag' }"],
  [`"%s is %d and %i", "x", "1.5", "2.9", "rest"`, "x is 1.5 and 2 rest"],
  [`"%o %O %j %%", { a: 1 }, { b: 2 }, { c: 3 }`, "{ a: 1 } { b: 2 } { c: 3 } %"],
  [`"%c styled %s", "color: red"`, " styled %s"],
  [`"%s", { a: { b: 1 } }, "%s"`, "{ a: [Object] } %s"],
  [`"%d %f %i", {}, "1.5x", Symbol("x")`, "NaN 1.5 NaN"],
  [`"100%", 1`, "100% 1"],
  [``, ""],
];

test("what is shown", async (t) => {
  for (const [args, want] of shown) {
    await t.test(args, () => assert.deepEqual(log(`console.log(${args})`), [[1, want]]));
  }
});

const programs = [
  [`console.debug("a"); console.log("a"); console.info("a"); console.warn("a"); console.error("a")`,
    [[0, "a"], [1, "a"], [1, "a"], [2, "a"], [3, "a"]]],
  [`console.assert(true, "a"); console.assert(false); console.assert(false, "x %s", "y"); console.assert(0, { a: 1 })`,
    [[3, "Assertion failed"], [3, "Assertion failed: x y"], [3, "Assertion failed { a: 1 }"]]],
  [`console.count(); console.count("x"); console.count(); console.countReset(); console.count(); console.countReset("y")`,
    [[1, "default: 1"], [1, "x: 1"], [1, "default: 2"], [1, "default: 1"], [2, "Count for 'y' does not exist"]]],
  [`console.group("g"); console.log("a\\nb"); console.group(); console.warn("c"); console.groupEnd(); console.groupEnd(); console.groupEnd(); console.log("d")`,
    [[1, "g"], [1, "  a\n  b"], [2, "    c"], [1, "d"]]],
  [`console.timeEnd("x"); console.time("t"); console.time("t")`,
    [[2, "Timer 'x' does not exist"], [2, "Timer 't' already exists"]]],
  [`console.dir({ a: { b: { c: {} } } }, { depth: 0 })`, [[1, "{ a: [Object] }"]]],
  [`console.table([{ a: 1, b: "x" }, { a: 2 }])`,
    [[1, "┌─────────┬───┬─────┐\n│ (index) │ a │ b   │\n├─────────┼───┼─────┤\n│ 0       │ 1 │ 'x' │\n│ 1       │ 2 │     │\n└─────────┴───┴─────┘"]]],
  [`console.table(5)`, [[1, "5"]]],
  [`const { log } = console; log("free")`, [[1, "free"]]],
];

test("the methods", async (t) => {
  for (const [program, want] of programs) await t.test(program, () => assert.deepEqual(log(`{${program}}`), want));
});

test("what is long is cut", () => {
  const [[, text]] = log(`console.log("x".repeat(100000))`);
  assert.match(text, /^x{16384}… \(83616 more characters\)$/);
  for (const big of [
    `new Array(1e6).fill("some text")`, `Array.from({ length: 1e5 }, (_, i) => ({ i, s: "x".repeat(1000) }))`,
    `new Map(Array.from({ length: 1e5 }, (_, i) => [i, "x".repeat(100)]))`, `new Array(2 ** 32 - 1)`,
    `"x".repeat(1e6).split("").reduce((a) => [a], [])`, `Object.fromEntries(Array.from({ length: 1e5 }, (_, i) => ["k" + i, i]))`,
  ]) {
    const [[, shown]] = log(`console.log({ value: ${big} })`);
    assert.ok(shown.length < 17000, `${big}: ${shown.length}`);
  }
});

test("the app's own code is not run", () => {
  for (const value of [
    `{ get x() { ran = 1 } }`, `Object.create({ get constructor() { ran = 2 } })`,
    `Object.create({ get [Symbol.toStringTag]() { ran = 3 } })`, `{ [Symbol.for("nodejs.util.inspect.custom")]() { ran = 4 } }`,
    `{ toJSON() { ran = 5 }, toString() { ran = 6 }, valueOf() { ran = 7 } }`,
    `class { static get name() { ran = 8 } }`, `new (class { static get [Symbol.hasInstance]() { ran = 9 } })()`,
    `Object.defineProperty(new Error("x"), "stack", { get() { ran = 10 } })`,
  ]) {
    log(`ran = undefined; console.log(${value}, [${value}]); console.log("%s %o %j %d", ${value}, ${value}, ${value}, ${value})`);
    assert.equal(run("ran"), undefined, value);
  }
});
