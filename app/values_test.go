package app_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/nano-runtime/nano/internal/await"
)

// hidden is in all that the app of TestValues throws and is made of: no client may see it.
const hidden = "hush7c1"

// TestValues has an app return, or throw, whatever JavaScript has. Each client gets one
// answer by the protocol, and nothing of the app's inside.
func TestValues(t *testing.T) {
	const failed = "Internal Server Error\n"
	cases := []struct {
		name, code string
		status     int
		body       string
		cut        bool // the body breaks off
	}{
		{"null", `return null`, 500, failed, false},
		{"undefined", `return undefined`, 500, failed, false},
		{"nothing", ``, 500, failed, false},
		{"a number", `return 42`, 500, failed, false},
		{"NaN", `return NaN`, 500, failed, false},
		{"a bigint", `return 10n`, 500, failed, false},
		{"a boolean", `return true`, 500, failed, false},
		{"a string", `return "HTTP/1.1 200 OK\r\n\r\n"`, 500, failed, false},
		{"a symbol", `return Symbol("hush7c1")`, 500, failed, false},
		{"an object", `return { status: 200, headers: {}, body: "x" }`, 500, failed, false},
		{"an array", `return [new Response("x")]`, 500, failed, false},
		{"a function", `return () => new Response("x")`, 500, failed, false},
		{"a class", `return Response`, 500, failed, false},
		{"a date", `return new Date(NaN)`, 500, failed, false},
		{"an error", `return new Error("hush7c1")`, 500, failed, false},
		{"a request", `return request`, 500, failed, false},
		{"the global object", `return globalThis`, 500, failed, false},
		{"a null prototype", `return Object.create(null)`, 500, failed, false},
		{"Response's prototype", `return Response.prototype`, 500, failed, false},
		{"Response.error()", `return Response.error()`, 500, failed, false},
		{"a generator", `return (function* () { yield new Response("x") })()`, 500, failed, false},
		{"a lying tag", `return { [Symbol.toStringTag]: "Response", constructor: Response }`, 500, failed, false},
		{"a name that throws", `return { get constructor() { throw new Error("hush7c1") } }`, 500, failed, false},
		{"a name that loops", `return { get constructor() { for (;;); } }`, 503, "the app hit its cpu limit\n", false},

		{"a subclass", `return new (class extends Response {})("sub")`, 200, "sub", false},
		{"a subclass that lies", `return new (class extends Response { get status() { return 999 } get headers() { throw 1 } get body() { return 42 } })("sub", { status: 201 })`, 201, "sub", false},
		{"a subclass without super", `return new (class extends Response { constructor() { return Object.create(new.target.prototype) } })()`, 500, failed, false},
		{"an impostor", `return Object.create(Response.prototype)`, 500, failed, false},
		{"another prototype", `return Object.setPrototypeOf(new Response("own"), null)`, 200, "own", false},
		{"frozen", `return Object.freeze(new Response("frozen"))`, 200, "frozen", false},
		{"own properties", `return Object.defineProperties(new Response("own"), { status: { value: 999 }, headers: { get() { throw 1 } }, body: { value: 1 } })`, 200, "own", false},
		{"a Proxy of a Response", `return new Proxy(new Response("x"), {})`, 500, failed, false},
		{"a Proxy whose traps throw", `return new Proxy({}, { get() { throw new Error("hush7c1") }, getPrototypeOf() { throw 1 } })`, 500, failed, false},
		{"a Proxy of a promise", `return new Proxy(Promise.resolve(new Response("x")), {})`, 500, failed, false},
		{"a revoked Proxy", `const p = Proxy.revocable({}, {}); p.revoke(); return p.proxy`, 500, failed, false},
		{"a revoked function", `const p = Proxy.revocable(() => {}, {}); p.revoke(); return p.proxy`, 500, failed, false},

		{"a thenable", `return { then(resolve) { resolve(new Response("then")) } }`, 200, "then", false},
		{"a thenable that goes on", `return { then(a, b) { a(new Response("first")); a(new Response("second")); b(1); throw 2 } }`, 200, "first", false},
		{"a thenable of nothing", `return { then(resolve) { resolve(null) } }`, 500, failed, false},
		{"a thenable of itself", `const t = { then(resolve) { resolve(t) } }; return t`, 503, "the app hit its cpu limit\n", false},
		{"a thenable that throws", `return { get then() { throw new Error("hush7c1") } }`, 500, failed, false},
		{"a then that is none", `return { then: 1 }`, 500, failed, false},
		{"a Response with then", `const r = new Response("own"); r.then = (f) => f(null); return r`, 200, "own", false},
		{"a promise of a promise", `return Promise.resolve(Promise.resolve(new Response("deep")))`, 200, "deep", false},
		{"a promise of null", `return Promise.resolve(null)`, 500, failed, false},
		{"a promise that never settles", `return new Promise(() => {})`, 504, "the app took too long to answer\n", false},
		{"a promise, too late", `return new Promise((r) => setTimeout(() => r(new Response("late")), 3000))`, 504, "the app took too long to answer\n", false},

		{"throw null", `throw null`, 500, failed, false},
		{"throw undefined", `throw undefined`, 500, failed, false},
		{"throw a number", `throw 7`, 500, failed, false},
		{"throw a string", `throw "hush7c1"`, 500, failed, false},
		{"throw a symbol", `throw Symbol("hush7c1")`, 500, failed, false},
		{"throw a Response", `throw new Response("hush7c1")`, 500, failed, false},
		{"throw a revoked Proxy", `const p = Proxy.revocable({}, {}); p.revoke(); throw p.proxy`, 500, failed, false},
		{"throw a text that throws", `throw { toString() { throw new Error("hush7c1") }, get stack() { throw 1 }, get message() { throw 2 } }`, 500, failed, false},
		{"throw an error whose stack is none", `throw Object.defineProperty(new Error("hush7c1"), "stack", { get() { return { toString() { throw 1 } } } })`, 500, failed, false},
		{"throw a long text", `throw new Error("hush7c1 ".repeat(1 << 18))`, 500, failed, false},
		{"throw half a character", `throw new Error("\ud800hush7c1\r\n\0")`, 500, failed, false},
		{"throw what loops", `throw { get stack() { for (;;); }, get message() { for (;;); } }`, 500, failed, false},
		{"reject with nothing", `return Promise.reject()`, 500, failed, false},
		{"reject with an error", `return Promise.reject(new Error("hush7c1"))`, 500, failed, false},
		{"a deep recursion", `const f = () => f(); return f()`, 500, failed, false},

		{"a used body", `const r = new Response("hush7c1"); await r.text(); return r`, 500, failed, false},
		{"a body being read", `const r = new Response(new ReadableStream({})); r.text(); return r`, 500, failed, false},
		{"a locked stream", `const r = new Response(new ReadableStream({})); r.body.getReader(); return r`, 500, failed, false},
		{"a stream that was locked and let go", `const r = new Response(new Blob(["let go"]).stream()); r.body.getReader().releaseLock(); return r`, 200, "let go", false},
		{"the same Response again", `globalThis.again ??= new Response("once"); const r = globalThis.again; if (r.bodyUsed) return new Response("used"); await r.clone().text(); return r`, 200, "once", false},
		{"an errored stream", `return new Response(new ReadableStream({ start(c) { c.error(new Error("hush7c1")) } }))`, 200, "", true},
		{"a stream that errs", `let n = 0; return new Response(new ReadableStream({ async pull(c) { if (n++ < 3) return c.enqueue(new Uint8Array([97])); await new Promise((r) => setTimeout(r, 300)); c.error(new Error("hush7c1")) } }))`, 200, "aaa", true},
		{"a stream that throws", `return new Response(new ReadableStream({ pull() { throw new Error("hush7c1") } }))`, 200, "", true},
		{"a stream of strings", `return new Response(new ReadableStream({ start(c) { c.enqueue("hush7c1"); c.close() } }))`, 200, "", true},
		{"a stream of null", `return new Response(new ReadableStream({ start(c) { c.enqueue(null); c.close() } }))`, 200, "", true},
		{"a stream of empty chunks", `return new Response(new ReadableStream({ start(c) { c.enqueue(new Uint8Array(0)); c.enqueue(new Uint8Array([98])); c.close() } }))`, 200, "b", false},
		{"a stream of detached bytes", `const a = new Uint8Array(9); structuredClone(a, { transfer: [a.buffer] }); return new Response(new ReadableStream({ start(c) { c.enqueue(a); c.close() } }))`, 200, "", false},
		{"a stream of numbers in a buffer", `return new Response(new ReadableStream({ start(c) { c.enqueue(new Uint16Array([25185]).buffer); c.close() } }))`, 200, "ab", false},
		{"an empty stream", `return new Response(new ReadableStream({ start(c) { c.close() } }))`, 200, "", false},
		{"a stream that is a Proxy", `return new Response(new Proxy(new ReadableStream({ start(c) { c.close() } }), {}))`, 200, "", false},
		{"a detached body", `const a = new Uint8Array(9); const r = new Response(a); structuredClone(a, { transfer: [a.buffer] }); return new Response(r.body)`, 200, strings.Repeat("\x00", 9), false},
		{"half a character", `return new Response("a\ud800b")`, 200, "a\uFFFDb", false},

		{"status 99", `return new Response("hush7c1", { status: 99 })`, 500, failed, false},
		{"status 101", `return new Response(null, { status: 101 })`, 500, failed, false},
		{"status 600", `return new Response("hush7c1", { status: 600 })`, 500, failed, false},
		{"status NaN", `return new Response("hush7c1", { status: NaN })`, 500, failed, false},
		{"status 2^32+200", `return new Response("wraps", { status: 2 ** 32 + 200 })`, 200, "wraps", false},
		{"status -56", `return new Response("hush7c1", { status: -56 })`, 500, failed, false},
		{"status as a text", `return new Response("text", { status: "201" })`, 201, "text", false},
		{"status that throws", `return new Response("", { get status() { throw new Error("hush7c1") } })`, 500, failed, false},
		{"204 with a body", `return new Response("hush7c1", { status: 204 })`, 500, failed, false},
		{"204", `return new Response(null, { status: 204 })`, 204, "", false},
		{"a status text of two lines", `return new Response("", { statusText: "a\r\nx: y" })`, 500, failed, false},

		{"a header of two lines", `return new Response("", { headers: { "x-a": "a\r\nset-cookie: b=c" } })`, 500, failed, false},
		{"a header with NUL", `return new Response("", { headers: { "x-a": "a\0b" } })`, 500, failed, false},
		{"a header past Latin-1", `return new Response("", { headers: { "x-a": "\u20ac" } })`, 500, failed, false},
		{"a header name of two lines", `return new Response("", { headers: { "x-a: b\r\nx-c": "d" } })`, 500, failed, false},
		{"no header name", `return new Response("", { headers: { "": "d" } })`, 500, failed, false},
		{"a symbol as header", `return new Response("", { headers: { "x-a": Symbol("hush7c1") } })`, 500, failed, false},
		{"headers that throw", `return new Response("", { headers: new Proxy({}, { ownKeys() { throw new Error("hush7c1") } }) })`, 500, failed, false},
		{"headers that are a number", `return new Response("", { headers: 7 })`, 500, failed, false},
		{"headers that are odd", `return new Response("", { headers: [["a"]] })`, 500, failed, false},
		{"headers changed meanwhile", `const h = { get "x-a"() { delete h["x-b"]; return "1" }, "x-b": "2" }; return new Response("changed", { headers: h })`, 200, "changed", false},
		{"an import without end", `try { await import("x".repeat(2 ** 29 - 24)) } catch (e) { return new Response(e.name) }`, 200, "TypeError", false},
		{"a length that lies", `return new Response("true", { headers: { "content-length": "4000" } })`, 200, "true", false},
		{"a length and chunks", `return new Response("true", { headers: { "content-length": "1", "transfer-encoding": "chunked" } })`, 200, "true", false},
		{"a streamed length that lies", `return new Response(new Blob(["true"]).stream(), { headers: { "transfer-encoding": "gzip" } })`, 200, "true", false},
		{"hop-by-hop headers", `return new Response("true", { headers: { connection: "x-a, close", upgrade: "x", "keep-alive": "1", te: "x", trailer: "x" } })`, 200, "true", false},
		{"all prototypes broken", `
			const was = { then: Promise.prototype.then, iterator: Array.prototype[Symbol.iterator], get: Map.prototype.get };
			Promise.prototype.then = Array.prototype[Symbol.iterator] = Map.prototype.get = () => { throw new Error("hush7c1") };
			setTimeout(() => { Promise.prototype.then = was.then; Array.prototype[Symbol.iterator] = was.iterator; Map.prototype.get = was.get }, 0);
			return new Response("broken")`, 200, "broken", false},
	}
	var code strings.Builder
	fmt.Fprintf(&code, "// %s\nconst cases = {\n", hidden)
	for n, tc := range cases {
		async := ""
		if strings.Contains(tc.code, "await") {
			async = "async "
		}
		fmt.Fprintf(&code, "%s\"/%d\"(request) { %s },\n", async, n, tc.code)
	}
	code.WriteString("};\nexport default { fetch: (request) => cases[new URL(request.url).pathname](request) };\n")
	h := start(t, one(`limits = { timeout = "10s", cpu = "50ms" }
[apps.impatient]
hosts = ["impatient"]
root = "test"
limits = { timeout = "200ms", cpu = "5s" }`, code.String()))
	for n, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			h.set.App("test").Pardon() // it loses isolates on purpose
			app := "test"
			if tc.status == 504 {
				app = "impatient"
			}
			raw := h.raw(t, fmt.Sprintf("GET /%d HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", n, app), false)
			got := parse(t, raw)
			if len(got) != 1 {
				t.Fatalf("%d answers in %q", len(got), raw)
			}
			r := got[0]
			if r == (answer{500, failed, false}) && tc.cut && tc.body == "" {
				return // it broke off before the head was out
			}
			if r.status != tc.status || r.body != tc.body || r.cut != tc.cut {
				t.Errorf("got %d %.200q, cut off %v; want %d %q, cut off %v\n%.2000s", r.status, r.body, r.cut, tc.status, tc.body, tc.cut, h.log)
			}
			if tc.status == 500 && (bytes.Contains(raw, []byte(hidden)) || bytes.Contains(raw, []byte("index.js"))) {
				t.Errorf("the client was told of the app's inside: %.500q", raw)
			}
		})
	}
}

// raw sends bytes on a connection of its own, which it may end then, and is all that comes
// back.
func (h *host) raw(t testing.TB, request string, end bool) []byte {
	t.Helper()
	c, err := net.Dial("tcp", h.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(await.Deadline)); err != nil {
		t.Fatal(err)
	}
	go func() {
		_, _ = io.WriteString(c, request) // it may be refused before its end
		if end {
			_ = c.(*net.TCPConn).CloseWrite()
		}
	}()
	all, err := io.ReadAll(c)
	if slow := net.Error(nil); errors.As(err, &slow) && slow.Timeout() {
		t.Fatalf("%.500q has no end of an answer within %s: %.500q", request, await.Deadline, all)
	}
	return all
}

// answer is a response as a strict client sees it.
type answer struct {
	status int
	body   string
	cut    bool
}

// parse takes apart what a connection has answered to GETs. What is no HTTP is the test's
// failure.
func parse(t testing.TB, raw []byte) (as []answer) {
	t.Helper()
	r := bufio.NewReader(bytes.NewReader(raw))
	for {
		if _, err := r.Peek(1); err != nil {
			return as
		}
		res, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Fatalf("no HTTP: %v in %.1000q", err, raw)
		}
		body, err := io.ReadAll(res.Body)
		if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Fatalf("no HTTP: %v in %.1000q", err, raw)
		}
		if res.StatusCode >= 200 {
			as = append(as, answer{res.StatusCode, string(body), err != nil})
		}
	}
}
