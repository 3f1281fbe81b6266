// Our URL against the parser it falls back to: every member, on many generated inputs.

import assert from "node:assert/strict";
import { test } from "node:test";
import { URL as Reference, URLSearchParams as ReferenceParams } from "whatwg-url";
import { newContext } from "./harness.mjs";

const { URL, URLSearchParams } = (await newContext()).global;

const members = ["href", "origin", "protocol", "username", "password", "host", "hostname", "port", "pathname", "search", "hash"];

function view(make) {
  try {
    const url = make();
    return [...members.map((name) => url[name]), `${url.searchParams}`, [...url.searchParams].join("|"), JSON.stringify(url)];
  } catch (error) {
    return error.name;
  }
}

function same(input, base) {
  const want = view(() => new Reference(input, base));
  assert.deepEqual(view(() => new URL(input, base)), want, `new URL(${JSON.stringify(input)}, ${JSON.stringify(base)})`);
  assert.equal(URL.canParse(input, base), want !== "TypeError");
}

// random is a small generator with a fixed start, so that a failure can be repeated.
function random(seed) {
  return (n) => {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    return Math.floor((seed / 2 ** 32) * n);
  };
}

const schemes = ["http:", "https:", "HTTP:", "ws:", "ftp:", "file:", "data:", "blob:http:", "javascript:", "a:", "http", "", "://"];
const slashes = ["//", "//", "//", "//", "/", "", "///", "\\\\", "/\\"];
const hosts = [
  "example.com", "a.b.c", "localhost", "127.0.0.1", "1.2.3", "256.1.1.1", "1.2.3.4.5", "01.2.3.4", "0x7f.1", "a.0x", "a.1", "a.0xg",
  "xn--tda.de", "a.xn--b", "ü.de", "EXAMPLE.com", "a_b.c", "-a-.b", "a..b", "a.", ".a", "[::1]", "[1:2::3]", "user@h.de", "u:p@h", "@h", "",
  "a%41", "a b", "1a", "a1", "3com", "a.b-", "0", "1e3", "x".repeat(70) + ".de", "h\t", "faß.de", "a*b", "a!b",
];
const ports = ["", "", "", ":80", ":443", ":8080", ":0", ":65535", ":65536", ":", ":a", ":080", ":99999"];
const segments = [
  "/", "/a", "/b.c", "/.", "/..", "/...", "/.a", "/%2e", "/%2E%2e", "/.%2e", "/%2ea", "/%2", "/%", "/%zz", "/a b", "/ü", "/a\\b", "/{}", "/^",
  "/`", "/|", "/[x]", "/'", "/\"", "/;", "/a=b&c", "/~", "/@:", "/\ud800", "/C:", "/c|", "//", "/$&+,",
];
const queries = ["", "", "?", "?a=b", "?a=b&c=d", "?a+b=%20", "?%zz", "?ü", "?'", "?\"", "?a#", "?<>", "?a?b", "?{|}^`\\", "?a=%C3%A4&b=%FF", "?&&=&x", "? ", "?\ud800"];
const hashes = ["", "", "#", "#a", "#a#b", "#ü", "#<>", "#`", "#'\"", "#?/", "#{}^|\\", "# ", "#\0"];
const odd = ["", " ", "\t", "\n", "\u{1F600}", "\0"];

function generated(next) {
  const pick = (list) => list[next(list.length)];
  let path = "";
  for (let n = next(5); n > 0; n--) path += pick(segments);
  let input = pick(schemes) + pick(slashes) + pick(hosts) + pick(ports) + path + pick(queries) + pick(hashes);
  if (next(12) === 0) {
    const at = next(input.length + 1);
    input = input.slice(0, at) + pick(odd) + input.slice(at);
  }
  return input;
}

function reference(next) {
  const pick = (list) => list[next(list.length)];
  const start = pick(["", "", "a", "./a", "../a", "a:b", "a/b", "/", "/a", "//h/a", "/\\h", "\\a", ".", "..", "%2e", "a?b:c", "?", "#", "~x", "-", "1"]);
  return start + pick(["", ...segments]) + pick(queries) + pick(hashes);
}

test("parse", () => {
  const next = random(1);
  for (let i = 0; i < 8_000; i++) same(generated(next), undefined);
});

test("parse common URLs", () => {
  const next = random(2);
  const pick = (list) => list[next(list.length)];
  for (let i = 0; i < 8_000; i++) {
    let path = "";
    for (let n = next(4); n > 0; n--) path += pick(segments);
    same(pick(["http://", "https://"]) + pick(hosts) + pick(ports) + path + pick(queries) + pick(hashes), undefined);
  }
});

test("parse with every ASCII character in every place", () => {
  for (let code = 0; code < 0x100; code++) {
    const char = String.fromCharCode(code);
    for (const input of [
      `${char}http://h/`, `http${char}://h/`, `http:/${char}/h/`, `http://${char}h/`, `http://h${char}/`, `http://a.${char}/`, `http://a.${char}b/p`,
      `http://h:8${char}/`, `http://h:${char}`, `http://h/${char}`, `http://h/a${char}b`, `http://h/?${char}`, `http://h/?a${char}b`,
      `http://h/#${char}`, `http://h/#a${char}b`, `http://h${char}`, `http://h/a/${char}./b`, `http://h/a/.${char}/b`, `http://h/a/%2e${char}`,
    ]) same(input, undefined);
    for (const input of [`${char}`, `${char}a`, `a${char}`, `a/${char}`, `?${char}`, `#${char}`, `/${char}`, `/a${char}/b`]) same(input, "http://h/x/y?z#w");
  }
});

test("parse with a base", () => {
  const next = random(3);
  const bases = ["http://h", "http://h/", "https://h:81/a/b/c?d#e", "http://h/a/?", "http://h/a#", "http://h/?a/b", "http://h/#a/b", "http://ü.de/a", "data:x", "file:///c:/a", "a:/b/c", "nothing", "http://u:p@h/a"];
  for (let i = 0; i < 8_000; i++) same(next(3) === 0 ? generated(next) : reference(next), bases[next(bases.length)]);
});

const values = {
  href: ["http://x.y/z?a=b#c", "nothing", "https://h:443/ü"],
  protocol: ["http", "https:", "ftp", "foo", "file", "", "1", "HTTPS"],
  username: ["", "me", "ü", "a:b@"],
  password: ["", "pw", "\ud800"],
  host: ["x", "x:81", "x:80", "", "ü.de", "[::1]:1", "a b", "x/y", "x:65536", "127.1"],
  hostname: ["x", "x:81", "", "XY.z", "1.2", "x?"],
  port: ["", "81", "80", "443", "65536", "8a", "a", "0", " 8"],
  pathname: ["", "/", "/a/b", "a", "/../x", "/ü", "/a?b#c", "/.", "\\a", "/a b", "//x", "/%2e%2E/a", "/a/b/.well-known"],
  search: ["", "?", "?a=b", "c=d&e=f", "?ü", "a#b", "?'\"", "??", "?a b"],
  hash: ["", "#", "#a", "b", "#ü", "##", "#`", "# x"],
};
const changes = [
  (params) => params.append("k", "v"), (params) => params.set("a", "ä &"), (params) => params.delete("a"), (params) => params.sort(),
  (params) => params.append("", ""), (params) => { for (const key of [...params.keys()]) params.delete(key); },
];

test("setters and searchParams", () => {
  const next = random(4);
  const starts = ["http://h/", "https://h:8443/a/b?c=d&a=1#e", "http://h", "http://u:p@h:1/x?y#z", "file:///a/b", "data:text,x?y#z", "ws://h/ü?ä", "a://h", "mailto:x@y", "http://h/?", "http://h/#"];
  for (let i = 0; i < 6_000; i++) {
    const start = starts[next(starts.length)];
    const [ours, theirs] = [new URL(start), new Reference(start)];
    const steps = [start];
    for (let n = 1 + next(4); n > 0; n--) {
      if (next(3) === 0) {
        const change = changes[next(changes.length)];
        steps.push(`${change}`);
        change(ours.searchParams);
        change(theirs.searchParams);
      } else {
        const names = Object.keys(values);
        const name = names[next(names.length)];
        const value = values[name][next(values[name].length)];
        steps.push(`${name} = ${JSON.stringify(value)}`);
        const failed = [ours, theirs].map((url) => {
          try {
            url[name] = value;
            return false;
          } catch (error) {
            return error.name;
          }
        });
        assert.equal(failed[0], failed[1], steps.join("; "));
      }
      assert.deepEqual(view(() => ours), view(() => theirs), steps.join("; "));
    }
  }
});

test("form-urlencoded strings", () => {
  const next = random(5);
  const pieces = ["a", "b", "=", "&", "+", "%20", "%2B", "%C3%A4", "%FF", "%", "%z", "%e", "%EF%BB%BF", "ü", "\u{1F600}", "\ud800", "?", "!'()~*-._", " ", "\0", "%00", "%F0%9F%98%80", "%ED%A0%80"];
  for (let i = 0; i < 8_000; i++) {
    let input = "";
    for (let n = next(8); n > 0; n--) input += pieces[next(pieces.length)];
    const [ours, theirs] = [new URLSearchParams(input), new ReferenceParams(input)];
    assert.deepEqual([...ours].map((pair) => [...pair]), [...theirs], JSON.stringify(input));
    assert.equal(`${ours}`, `${theirs}`, JSON.stringify(input));
  }
});

test("URLSearchParams is made of what Web IDL allows", () => {
  const shapes = [
    [["a", "b"], ["a", "c"]], [], { a: "b", "\ud800": "1", "\ufffd": "2" }, new Map([["x", "y"]]), "?a=b", "??a", undefined, null, 5, () => {},
    [["a"]], [["a", "b", "c"]], [1], ["ab"], { [Symbol.iterator]: 1 }, { [Symbol.iterator]: null, a: 1 }, { [Symbol("x")]: 1 }, new ReferenceParams("q=r"),
  ];
  for (const init of shapes) {
    const read = (Class) => {
      try {
        return `${new Class(init)}`;
      } catch (error) {
        return error.name;
      }
    };
    assert.equal(read(URLSearchParams), read(ReferenceParams), String(JSON.stringify(init)));
  }
});

test("URLSearchParams' methods", () => {
  const params = new URLSearchParams("a=1&b=2&a=3&z=&a=1");
  assert.equal(params.size, 5);
  assert.equal(params.get("a"), "1");
  assert.equal(params.get("q"), null);
  assert.deepEqual([...params.getAll("a")], ["1", "3", "1"]);
  assert.equal(params.has("a", "3"), true);
  assert.equal(params.has("a", "4"), false);
  params.delete("a", "1");
  assert.equal(`${params}`, "b=2&a=3&z=");
  params.set("a", "9");
  params.append("b", "0");
  params.sort();
  assert.equal(`${params}`, "a=9&b=2&b=0&z=");
  const seen = [];
  for (const [key] of params) {
    seen.push(key);
    if (key === "a") params.delete("b"); // changes show while iterating
  }
  assert.deepEqual(seen, ["a", "z"]);
});
