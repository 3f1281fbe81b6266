// The URLs that nearly every program uses, http and https in ASCII as the parser would write them, are called plain
// here. scan recognises them and finds their parts in one walk; everything else is the parser's. By hand, because V8
// would compile a regular expression anew in every isolate, and that takes longer than many apps take to start.

// What a character may be without being changed.
const HOST = 1;
const PATH = 2;
const QUERY = 4;
const FRAGMENT = 8;

const kinds = new Uint8Array(128);
mark(HOST, "-0123456789_abcdefghijklmnopqrstuvwxyz");
for (let code = 0x21; code < 0x7f; code++) {
  const char = String.fromCharCode(code);
  if (!"\"#<>?\\^`{}".includes(char)) mark(PATH, char);
  if (!"\"#<>'".includes(char)) mark(QUERY, char);
  if (!"\"<>`".includes(char)) mark(FRAGMENT, char);
}

function mark(kind, chars) {
  for (const char of chars) kinds[char.charCodeAt(0)] |= kind;
}

// found is where the parts of the URL start that scan was last asked about: what isn't there starts where the next
// part does.
export const found = { host: 0, port: 0, path: 0, query: 0, hash: 0 };

const COLON = 0x3a;
const DOT = 0x2e;
const HASH = 0x23;
const PERCENT = 0x25;
const QUESTION = 0x3f;
const SLASH = 0x2f;
const ZERO = 0x30;
const NINE = 0x39;

// scan tells whether href is a plain URL. Only its path may be missing: then found.path is its length.
export function scan(href) {
  const host = href.startsWith("http://") ? 7 : href.startsWith("https://") ? 8 : 0;
  if (host === 0) return false;
  const { length } = href;
  let at = scanHost(href, host);
  if (at < 0) return false;
  found.host = host;
  found.port = at;
  if (href.charCodeAt(at) === COLON) at = scanPort(href, at + 1, host === 7 ? 80 : 443);
  found.path = at;
  if (at === length) {
    found.query = found.hash = at;
    return true;
  }
  if (href.charCodeAt(at) !== SLASH) return false;
  at = scanPath(href, at);
  found.query = at;
  if (href.charCodeAt(at) === QUESTION) at = scanWhile(href, at + 1, QUERY);
  found.hash = at;
  if (href.charCodeAt(at) === HASH) at = scanWhile(href, at + 1, FRAGMENT);
  return at === length;
}

function scanWhile(string, at, kind) {
  for (const { length } = string; at < length; at++) {
    const code = string.charCodeAt(at);
    if (code > 127 || (kinds[code] & kind) === 0) break;
  }
  return at;
}

// scanHost answers where a host ends that means itself: lower case, not Punycode, and no IPv4 address in one of its
// disguises; -1 for another one.
function scanHost(href, start) {
  let label = start;
  let at = start;
  for (;;) {
    at = scanWhile(href, at, HOST);
    if (at === label || href.startsWith("xn--", label)) return -1;
    if (href.charCodeAt(at) !== DOT) break;
    label = ++at;
  }
  const first = href.charCodeAt(label);
  if (first >= ZERO && first <= NINE) return isAddress(href.slice(start, at)) ? at : -1;
  return at;
}

function isAddress(host) {
  const parts = host.split(".");
  return parts.length === 4 && parts.every((part) => Number(part) <= 255 && String(Number(part)) === part);
}

// scanPort answers where a port ends that isn't the scheme's own; a place that doesn't go on as a URL for another one.
function scanPort(href, start, own) {
  let port = 0;
  let at = start;
  for (let code; (code = href.charCodeAt(at)) >= ZERO && code <= NINE && port <= 0xffff; at++) port = port * 10 + code - ZERO;
  const plain = at > start && port <= 0xffff && port !== own && (href.charCodeAt(start) !== ZERO || at === start + 1);
  return plain ? at : start - 1;
}

// scanPath answers where a path ends; at is its first slash. One with a segment that is "." or ".." ends there.
function scanPath(string, at) {
  for (const { length } = string; at < length; at++) {
    const code = string.charCodeAt(at);
    if (code > 127 || (kinds[code] & PATH) === 0) break;
    if (code === SLASH && isDots(string, at + 1)) break;
  }
  return at;
}

function isDots(string, at) {
  for (let dots = 0; dots < 3; dots++) {
    const code = string.charCodeAt(at);
    if (code === DOT) at++;
    else if (code === PERCENT && string.charCodeAt(at + 1) === 0x32 && (string.charCodeAt(at + 2) | 0x20) === 0x65) at += 3;
    else return dots > 0 && (at >= string.length || code === SLASH || code === QUESTION || code === HASH);
  }
  return false;
}

export const isPlainPath = (string) => string.charCodeAt(0) === SLASH && scanPath(string, 0) === string.length;
export const isPlainSearch = (string) => string === "" || scanWhile(string, 1, QUERY) === string.length;
export const isPlainHash = (string) => string === "" || scanWhile(string, 1, FRAGMENT) === string.length;

// join puts a reference after what it keeps of a plain base; undefined where that takes the parser. Whether the result
// is plain is still to be seen.
export function join(base, reference) {
  scan(base);
  if (found.path === base.length) scan(base += "/");
  if (reference === "") return base.slice(0, found.hash);
  switch (reference.charCodeAt(0)) {
    case SLASH: {
      const second = reference.charCodeAt(1);
      return second === SLASH || second === 0x5c ? undefined : base.slice(0, found.path) + reference;
    }
    case QUESTION: return base.slice(0, found.query) + reference;
    case HASH: return base.slice(0, found.hash) + reference;
  }
  // Not one that may start with a scheme, or with dots.
  if (reference.includes(":") || reference.startsWith(".")) return undefined;
  return base.slice(0, base.lastIndexOf("/", found.query - 1) + 1) + reference;
}

// plainHref answers input as the parser would write it, or undefined where that takes the parser.
export function plainHref(input) {
  if (!scan(input)) return undefined;
  return found.path === input.length ? `${input}/` : input;
}
