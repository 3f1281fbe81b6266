package webapi

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"github.com/nano-runtime/nano/internal/await"
	"github.com/nano-runtime/nano/isolate"
)

func TestHandlers(t *testing.T) {
	tests := []struct{ name, code, want string }{
		{"object", `export default { async fetch(r, env) { return new Response(env.GREETING) } }`, "hi"},
		{"synchronous", `export default { fetch() { return new Response("hi") } }`, "hi"},
		{"this", `export default { a: "hi", fetch() { return new Response(this.a) } }`, "hi"},
		{"thenable", `export default { fetch() { return { then(f) { f(new Response("hi")) } } } }`, "hi"},
		{"class", `export default class { fetch(r, env, ctx) { ctx.waitUntil(1); return new Response(this.env.GREETING + typeof this.ctx.waitUntil) } }`, "hifunction"},
		{"class with a field", `export default class { fetch = async () => new Response("hi") }`, "hi"},
		{"class with a constructor", `export default class { constructor(ctx, env) { this.x = Object.keys(ctx.props).length === 0 && env.GREETING } async fetch() { return new Response(this.x) } }`, "hi"},
		{"function with fetch", `const app = () => {}; app.fetch = () => new Response("hi"); export default app`, "hi"},
		{"CommonJS", `export default { __esModule: true, default: { fetch: () => new Response("hi") } }`, "hi"},
		{"listener", `addEventListener("fetch", (e) => e.respondWith(new Response(GREETING)))`, "hi"},
		{"asynchronous listener", `addEventListener("fetch", (e) => { e.respondWith((async () => new Response(new URL(e.request.url).pathname))()); e.waitUntil(1) })`, "/"},
		{"second listener", `addEventListener("fetch", () => {}); addEventListener("fetch", (e) => e.respondWith(new Response("hi")))`, "hi"},
		{"top-level await", `await null; const x = await Promise.resolve("hi"); export default { fetch: () => new Response(x) }`, "hi"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			load(t, test.code, nowhere).check("/", test.want)
		})
	}
}

func TestNoHandler(t *testing.T) {
	tests := []struct{ name, code, want string }{
		{"nothing", ``, "its entry exports nothing"},
		{"other exports", `export const a = 1, b = 2`, "its entry has no default export, only a, b"},
		{"object", `export default { get: 1 }`, "its default export has no fetch method, only get"},
		{"function", `export default () => 1`, "its default export is a function without a fetch method"},
		{"number", `export default 1`, "its default export is number"},
		{"class that throws", `export default class { constructor() { throw new Error("no luck") } fetch() {} }`, "no luck"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			err := tryLoad(t, test.code)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got error %v, want one with %q", err, test.want)
			}
		})
	}
}

func TestFailures(t *testing.T) {
	tests := []struct{ name, body, want string }{
		{"exception", `throw new TypeError("no")`, "TypeError: no\nTypeError: no\n    at Object.fetch"},
		{"cause", `throw new Error("no", { cause: new RangeError("why") })`, "caused by RangeError: why\n    at "},
		{"string", `throw "no"`, "uncaught 'no'"},
		{"object", `throw { code: 1 }`, "uncaught { code: 1 }"},
		{"undefined", `throw undefined`, "uncaught undefined"},
		{"nasty", `throw Object.defineProperties(new Error("no"), { stack: { get() { throw 1 } }, message: { get() { throw 2 } } })`, "an exception that can't be shown"},
		{"proxy", `throw new Proxy({ a: 1 }, { get() { throw 1 }, getPrototypeOf() { throw 2 } })`, "uncaught { a: 1 }"},
		{"nothing", ``, "fetch handler returned undefined, expected a Response"},
		{"null", `return null`, "fetch handler returned null, expected a Response"},
		{"text", `return "x"`, "fetch handler returned a string, expected a Response"},
		{"other object", `return new Map()`, "fetch handler returned an instance of Map, expected a Response"},
		{"fake", `return { status: 200, __proto__: Response.prototype }`, "fetch handler returned an instance of Response, expected a Response"},
		{"error response", `return Response.error()`, "Response.error()"},
		{"used body", `const r = new Response("x"); await r.text(); return r`, "whose body is read already"},
		{"locked body", `const r = new Response("x"); r.body.getReader(); return r`, "whose body is read already"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			x := handler(t, test.body).do(request{})
			if !strings.Contains(x.failed, test.want) {
				t.Errorf("failed with %q, want %q in it", x.failed, test.want)
			}
		})
	}
}

func TestRequestArrives(t *testing.T) {
	a := handler(t, `
		const { url, method, headers } = request;
		const echo = new Headers();
		for (const [name, value] of headers) echo.append(name, value);
		echo.append("x-url", url);
		echo.append("x-method", method);
		echo.append("set-cookie", "a=1"); echo.append("set-cookie", "b=2");
		return new Response(null, { headers: echo });`)
	header := "x-b\n\xe9\xff\nx-a\n1\nx-a\n2\ncookie\na=b; c=d\nx-empty\n\n"
	x := a.do(request{method: "PATCH", path: "/a/../b?q=%zz'", header: header})
	want := "cookie\na=b; c=d\nx-a\n1, 2\nx-b\n\xe9\xff\nx-empty\n\n" +
		"x-url\nhttp://app.example/b?q=%zz%27\nx-method\nPATCH\nset-cookie\na=1\nset-cookie\nb=2\n"
	if x.header != want {
		t.Errorf("got  %q\nwant %q (%s)", x.header, want, x.failed)
	}
	immutable := handler(t, `request.headers.set("a", "b")`).do(request{})
	if !strings.Contains(immutable.failed, "immutable") {
		t.Errorf("a client's headers could be changed: %q", immutable.failed)
	}
}

func TestBodiesArrive(t *testing.T) {
	chunks := func(list ...string) func() []byte {
		return func() []byte {
			if len(list) == 0 {
				return nil
			}
			chunk := []byte(list[0])
			list = list[1:]
			return chunk
		}
	}
	whole := isolate.Bytes([]byte(`{"a":"é"}`))
	tests := []struct {
		name, body string
		request    request
		want       string
	}{
		{"none", `return new Response(String(request.body) + await request.text())`, request{}, "null"},
		{"text", `return new Response(await request.text())`, request{body: whole}, `{"a":"é"}`},
		{"json", `return new Response((await request.json()).a)`, request{body: whole}, "é"},
		{"bytes", `return new Response(await request.bytes())`, request{body: whole}, `{"a":"é"}`},
		{"blob", `return new Response(await request.blob())`, request{body: whole}, `{"a":"é"}`},
		{"echo", `return new Response(request.body)`, request{body: whole}, `{"a":"é"}`},
		{"clone", `const c = request.clone(); return new Response(await request.text() + await c.text())`, request{body: whole}, `{"a":"é"}{"a":"é"}`},
		{"streamed text", `return new Response(await request.text())`, request{body: isolate.Number(-1), upload: chunks("a\xc3", "\xa9b")}, "aéb"},
		{"streamed and empty", `return new Response(await request.text() + "!")`, request{body: isolate.Number(-1), upload: chunks()}, "!"},
		{"streamed chunks", `let s = ""; for await (const c of request.body) s += c.length + ","; return new Response(s)`, request{body: isolate.Number(5), upload: chunks("abc", "de")}, "3,2,"},
		{"streamed echo", `return new Response(request.body)`, request{body: isolate.Number(5), upload: chunks("abc", "de")}, "abcde"},
		{"streamed clone", `const c = request.clone(); return new Response(await c.text() + await request.text())`, request{body: isolate.Number(5), upload: chunks("abc", "de")}, "abcdeabcde"},
		{
			"transformed", `return new Response(request.body.pipeThrough(new TextDecoderStream()).pipeThrough(new TransformStream({ transform(s, c) { c.enqueue(s.toUpperCase()) } })).pipeThrough(new TextEncoderStream()))`,
			request{body: isolate.Number(5), upload: chunks("ab", "cd")},
			"ABCD",
		},
		{
			"form", `const f = await request.formData(); return new Response(f.get("a") + f.getAll("b"))`,
			request{body: isolate.Bytes([]byte("a=1&b=2&b=%C3%A9")), header: "content-type\napplication/x-www-form-urlencoded\n"},
			"12,é",
		},
		{"new Request", `return new Response(await new Request(request, { headers: { a: "b" } }).text())`, request{body: isolate.Number(3), upload: chunks("abc")}, "abc"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			test.request.method = "POST"
			x := handler(t, test.body).do(test.request)
			if got := x.body.String(); got != test.want || x.failed != "" {
				t.Errorf("got %q %s, want %q", got, x.failed, test.want)
			}
		})
	}
}

func TestResponses(t *testing.T) {
	tests := []struct {
		name, body, header, want string
		status                   int
	}{
		{"text", `return new Response("é")`, "content-type\ntext/plain;charset=UTF-8\n", "é", 200},
		{"none", `return new Response(null, { status: 204 })`, "", "", 204},
		{"bytes", `return new Response(new Uint8Array([0, 255]))`, "", "\x00\xff", 200},
		{"wide text", `return new Response("\u20ac\ud83d\ude00\ud800")`, "content-type\ntext/plain;charset=UTF-8\n", "€😀\ufffd", 200},
		{"json", `return Response.json({ a: 1 }, { status: 201 })`, "content-type\napplication/json\n", `{"a":1}`, 201},
		{"redirect", `return Response.redirect("http://b.example/x", 303)`, "location\nhttp://b.example/x\n", "", 303},
		{"location as written", `return new Response(null, { status: 302, headers: { location: "/é" } })`, "location\n/\xe9\n", "", 302},
		{"form", `return new Response(new URLSearchParams({ a: "b c" }))`, "content-type\napplication/x-www-form-urlencoded;charset=UTF-8\n", "a=b+c", 200},
		{"subclass", `return new (class extends Response {})("x", { headers: { "content-type": "a/b" } })`, "content-type\na/b\n", "x", 200},
		{"clone", `return new Response("x").clone()`, "content-type\ntext/plain;charset=UTF-8\n", "x", 200},
		{"copy", `const r = new Response("x", { headers: { a: "b" } }); return new Response(r.body, r)`, "a\nb\ncontent-type\ntext/plain;charset=UTF-8\n", "x", 200},
		{"stream", `return new Response(new ReadableStream({ pull(c) { c.enqueue(new TextEncoder().encode("ab")); c.close() } }))`, "", "ab", 200},
		{"buffers in a stream", `return new Response(new ReadableStream({ start(c) { c.enqueue(new Uint16Array([0x6161])); c.enqueue(new Uint8Array([98]).buffer); c.close() } }))`, "", "aab", 200},
		{"generator", `return new Response(ReadableStream.from((async function* () { yield new Uint8Array([97]); await null; yield new Uint8Array([98]) })()))`, "", "ab", 200},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			x := handler(t, test.body).do(request{})
			if x.failed != "" || x.status != test.status || x.header != test.header || x.body.String() != test.want {
				t.Errorf("got %d %q %q %s\nwant %d %q %q", x.status, x.header, x.body.String(), x.failed, test.status, test.header, test.want)
			}
		})
	}
}

func TestStreamsFail(t *testing.T) {
	tests := []struct{ name, body, want string }{
		{"text in a stream", `return new Response(new ReadableStream({ start(c) { c.enqueue("x") } }))`, "TypeError: a body's stream must hold Uint8Array chunks, but it held a string"},
		{"error", `return new Response(new ReadableStream({ async pull(c) { throw new RangeError("no") } }))`, "RangeError: no"},
		{"error after a chunk", `let n = 0; return new Response(new ReadableStream({ pull(c) { if (n++) c.error(new RangeError("no")); else c.enqueue(new Uint8Array(1)) } }))`, "RangeError: no"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			x := handler(t, test.body).do(request{})
			if !strings.Contains(x.failed, test.want) || x.status != 200 {
				t.Errorf("got %d, failed with %q, want %q", x.status, x.failed, test.want)
			}
		})
	}
}

// A response that nobody takes must not be made.
func TestBackPressure(t *testing.T) {
	a := handler(t, `
		if (request.url.endsWith("/fence")) return new Response("x");
		let made = 0;
		return new Response(new ReadableStream({
			pull(c) {
				made++;
				console.log(made);
				c.enqueue(new Uint8Array(100_000));
				if (made === 10) c.close();
			},
		}));`)
	calls := make(chan uint32, 100)
	_, x := a.begin(request{chunks: calls})
	first := <-calls
	for range 100 { // whatever the stream could do on its own, it has done then
		a.check("/fence", "x")
	}
	if got := len(calls) + 1; got != 4 { // two chunks, each in two messages
		t.Errorf("%d messages came before the first was acknowledged", got)
	}
	a.mu.Lock()
	made := len(a.logs)
	a.mu.Unlock()
	if made > 4 {
		t.Errorf("%d chunks of 100 kB were made while the client stood still", made)
	}
	a.isolate.Send(isolate.InResult, first)
	go func() {
		for {
			select {
			case call := <-calls:
				a.isolate.Send(isolate.InResult, call)
			case <-x.done:
				return
			}
		}
	}()
	a.wait(x.done)
	if x.body.Len() != 1_000_000 {
		t.Errorf("got %d bytes", x.body.Len())
	}
}

func TestClientGoesAway(t *testing.T) {
	t.Run("signal", func(t *testing.T) {
		a := handler(t, `
			console.log("started");
			return new Promise((resolve) => request.signal.addEventListener("abort", () => {
				console.log(request.signal.reason.name, request.signal.reason.message);
				resolve(new Response("late"));
			}));`)
		id, x := a.begin(request{})
		a.isolate.Send(isolate.InAbort, id, isolate.Text("gone"))
		a.wait(x.done)
		a.expectLogs("started", "AbortError gone")
		if x.status != 0 {
			t.Error("a response was sent to nobody")
		}
	})
	t.Run("signal asked for later", func(t *testing.T) {
		a := handler(t, `
			await new Promise((resolve) => setTimeout(resolve, 20));
			console.log(request.signal.aborted, request.signal.reason.message);
			return new Response("late");`)
		id, x := a.begin(request{})
		a.isolate.Send(isolate.InAbort, id, isolate.Text("gone"))
		a.wait(x.done)
		a.waitLogs(1)
		a.expectLogs("true gone")
	})
	t.Run("stream", func(t *testing.T) {
		a := handler(t, `
			return new Response(new ReadableStream({
				pull(c) { c.enqueue(new Uint8Array(70000)) },
				cancel(reason) { console.log("cancelled", reason.message) },
			}));`)
		id, x := a.begin(request{chunks: make(chan uint32, 100)})
		a.isolate.Send(isolate.InAbort, id, isolate.Text("gone"))
		a.wait(x.done)
		a.expectLogs("cancelled gone")
	})
	t.Run("chunk refused", func(t *testing.T) {
		a := handler(t, `
			return new Response(new ReadableStream({
				pull(c) { c.enqueue(new Uint8Array(70000)) },
				cancel(reason) { console.log("cancelled", reason.message) },
			}));`)
		calls := make(chan uint32, 10000)
		_, x := a.begin(request{chunks: calls})
		a.isolate.Send(isolate.InError, <-calls, isolate.Text("Error"), isolate.Text("the pipe is broken"))
		a.wait(x.done)
		a.expectLogs("cancelled the pipe is broken")
	})
	t.Run("after the response", func(t *testing.T) {
		a := handler(t, `ctx.waitUntil(new Promise((resolve) => setTimeout(resolve, 20)).then(() => console.log("done"))); return new Response("x")`)
		id, x := a.begin(request{})
		a.isolate.Send(isolate.InAbort, id, isolate.Text("gone"))
		a.wait(x.done)
		a.expectLogs("done")
	})
	t.Run("waitUntil takes too long", func(t *testing.T) {
		a := handler(t, `ctx.waitUntil(new Promise(() => {})); return new Response("x")`)
		id, x := a.begin(request{})
		a.wait(x.ended)
		a.isolate.Send(isolate.InAbort, id, isolate.Text("too long"), isolate.Bool(true))
		a.wait(x.done)
	})
	t.Run("nothing ends it", func(t *testing.T) {
		a := handler(t, `ctx.waitUntil(new Promise(() => {})); return new Promise(() => {})`)
		id, x := a.begin(request{})
		a.isolate.Send(isolate.InAbort, id, isolate.Text("too long"), isolate.Bool(true))
		a.wait(x.done)
	})
}

func TestWaitUntil(t *testing.T) {
	a := handler(t, `
		ctx.waitUntil(new Promise((resolve) => setTimeout(() => { console.log("later"); resolve() }, 10)));
		ctx.waitUntil(Promise.reject(new Error("no luck")));
		return new Response("x");`)
	x := a.do(request{})
	select {
	case <-x.done:
		t.Error("the request was done before its promises")
	default:
	}
	a.wait(x.done)
	a.expectLogs("unhandled: Error: no luck", "later")
}

func TestTimers(t *testing.T) {
	a := handler(t, `
		const seen = [];
		const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
		setTimeout((...args) => seen.push("b", ...args), 5, 1, 2);
		setTimeout(() => seen.push("a"));
		clearTimeout(setTimeout(() => seen.push("never"), 1));
		let n = 0;
		const interval = setInterval(() => { seen.push("i"); if (++n === 3) clearInterval(interval) }, 1);
		queueMicrotask(() => seen.push("m"));
		clearTimeout(); clearTimeout(123); clearTimeout("x"); clearInterval(undefined);
		await sleep(50);
		for (const wrong of [() => setTimeout("code"), () => setTimeout(), () => queueMicrotask(1)]) {
			try { wrong(); seen.push("wrong") } catch (e) { seen.push(e.name) }
		}
		return new Response(seen.filter((s) => s !== "i").join() + seen.filter((s) => s === "i").length + typeof interval);`)
	a.check("/", "m,a,b,1,2,TypeError,TypeError,TypeError3number")
}

// The console knows the request through awaits and timers.
func TestContext(t *testing.T) {
	a := load(t, `
		const own = globalThis[Symbol.for("nano.context")];
		export default { async fetch(request, env, ctx) {
			const name = new URL(request.url).pathname;
			own.set(name);
			await new Promise((resolve) => setTimeout(resolve, 5));
			if (own.get() !== name) return new Response("mixed up: " + own.get());
			await Promise.all([1, 2].map(async () => { await null; if (own.get() !== name) throw new Error("mixed up") }));
			own.set(undefined);
			ctx.waitUntil((async () => { await null; globalThis[Symbol.for("nano.waitUntil")](Promise.resolve()) })());
			return new Response(globalThis[Symbol.for("nano.env")].GREETING + own.get());
		} }`, nowhere)
	var begun []*answer
	for _, path := range []string{"/a", "/b", "/c"} {
		_, x := a.begin(request{path: path})
		begun = append(begun, x)
	}
	for _, x := range begun {
		a.wait(x.done)
		if got := x.body.String(); got != "hiundefined" {
			t.Errorf("got %s %s", got, x.failed)
		}
	}
}

func TestUnhandled(t *testing.T) {
	a := load(t, `
		addEventListener("unhandledrejection", (e) => { if (e.reason === "quiet") e.preventDefault(); console.log("event", e.reason, e.promise instanceof Promise) });
		addEventListener("rejectionhandled", (e) => console.log("handled"));
		addEventListener("error", (e) => { if (e.error === "quiet error") e.preventDefault(); console.log("error", e.error) });
		export default { async fetch() {
			const late = Promise.reject("late");
			Promise.reject("quiet");
			Promise.reject("caught").catch(() => {});
			setTimeout(() => { throw "quiet error" });
			setTimeout(() => { throw "loud error" }, 1);
			setTimeout(() => late.catch(() => {}), 2);
			await new Promise((resolve) => setTimeout(resolve, 20));
			return new Response("x");
		} }`, nowhere)
	a.wait(a.do(request{}).done)
	a.expectLogs("event late true", "unhandled: uncaught 'late'", "event quiet true", "error quiet error",
		"error loud error", "unhandled: uncaught 'loud error'", "handled")
}

func TestEnvInModule(t *testing.T) {
	a := load(t, `
		const env = globalThis[Symbol.for("nano.env")];
		const { GREETING } = env;
		await null;
		const hidden = !Object.keys(globalThis).includes("nano.env") && Object.getOwnPropertySymbols(globalThis)
			.every((symbol) => !Object.prototype.propertyIsEnumerable.call(globalThis, symbol));
		export default { fetch: (request, own) => Response.json([GREETING, own === env, hidden, "ASSETS" in env]) }`, nowhere)
	a.check("/", `["hi",true,true,false]`)
}

func TestRejectionInModule(t *testing.T) {
	a := load(t, `Promise.reject(new Error("nobody")); export default { fetch: () => new Response("x") }`, nowhere)
	a.check("/", "x")
	a.expectLogs("unhandled: Error: nobody")
}

func TestCache(t *testing.T) {
	tests := []struct{ name, body, want string }{
		{"hit", `await c.put("http://a/x#f", new Response("é", { status: 201, statusText: "Yes", headers: { "cache-control": "max-age=60", "x-a": "b" } })); const r = await c.match("http://a/x"); return [r.status, r.statusText, r.headers.get("x-a"), r.headers.get("age"), await r.text()]`, `[201,"Yes","b","0","é"]`},
		{"hit twice", `await c.put("http://a/x", new Response("x")); return [await (await c.match("http://a/x")).text(), await (await c.match(new Request("http://a/x"))).text()]`, `["x","x"]`},
		{"bytes are its own", `await c.put("http://a/x", new Response("x")); (await (await c.match("http://a/x")).bytes())[0] = 0; return (await c.match("http://a/x")).text()`, `"x"`},
		{"stream", `const r = new Response(ReadableStream.from([new Uint8Array([97]), new Uint8Array([98])])); await c.put("http://a/x", r); return [r.bodyUsed, await (await c.match("http://a/x")).text()]`, `[true,"ab"]`},
		{"miss", `return await c.match("http://a/x") === undefined`, "true"},
		{"other name", `await c.put("http://a/x", new Response("x")); const d = await caches.open("d"); return [await d.match("http://a/x") === undefined, await d.delete("http://a/x")]`, "[true,false]"},
		{"same name", `await (await caches.open("d")).put("http://a/x", new Response("x")); return (await (await caches.open("d")).match("http://a/x")).text()`, `"x"`},
		{"delete", `await c.put("http://a/x", new Response("x")); return [await c.delete("http://a/x"), await c.delete("http://a/x"), await c.match("http://a/x") === undefined]`, "[true,false,true]"},
		{"replace", `await c.put("http://a/x", new Response("x")); await c.put("http://a/x", new Response("y")); return (await c.match("http://a/x")).text()`, `"y"`},
		{"other method", `await c.put("http://a/x", new Response("x")); const r = new Request("http://a/x", { method: "POST" }); return [await c.match(r) === undefined, await (await c.match(r, { ignoreMethod: true })).text()]`, `[true,"x"]`},
		{"vary", `await c.put(new Request("http://a/x", { headers: { b: "1" } }), new Response("x", { headers: { vary: "B" } })); return [await c.match("http://a/x") === undefined, await (await c.match(new Request("http://a/x", { headers: { b: "1" } }))).text()]`, `[true,"x"]`},
		{"as old as it came", `await c.put("http://a/x", new Response("x", { headers: { "cache-control": "max-age=3600", age: "3599" } })); const r = await c.match("http://a/x"); const now = Date.now; Date.now = () => now() + 1500; const late = await c.match("http://a/x"); Date.now = now; return [r.headers.get("age"), late === undefined]`, `["3599",true]`},
		{"what it varies by counts", `for (let i = 0; i < 400; i++) await c.put(new Request("http://a/" + i, { headers: { cookie: "c".repeat(30_000) } }), new Response("x", { headers: { vary: "cookie" } })); let held = 0; for (let i = 0; i < 400; i++) if (await c.match(new Request("http://a/" + i, { headers: { cookie: "c".repeat(30_000) } }))) held++; return held > 200 && held < 280`, "true"},
		{"not to be stored", `for (const headers of [{ "cache-control": "no-store" }, { "cache-control": "Private, max-age=9" }, { "cache-control": "max-age=0" }, { "cache-control": "max-age=60, s-maxage=0" }, { "set-cookie": "a=b" }, { expires: "Thu, 01 Jan 1970 00:00:00 GMT" }, { expires: "0" }]) { await c.put("http://a/x", new Response("x", { headers })); if (await c.match("http://a/x")) return headers } return true`, "true"},
		{"no lifetime, odd status", `await c.put("http://a/x", new Response("x", { status: 500 })); return await c.match("http://a/x") === undefined`, "true"},
		{"expired", `await c.put("http://a/x", new Response("x", { headers: { expires: new Date(Date.now() + 1500).toUTCString() } })); const now = Date.now; Date.now = () => now() + 3000; const r = await c.match("http://a/x"); Date.now = now; return r === undefined`, "true"},
		{"refused", `const out = []; for (const [q, r] of [[new Request("http://a", { method: "POST" }), new Response()], ["http://a", new Response(null, { headers: { vary: "*" } })], ["http://a", new Response(null, { status: 206 })], ["data:,x", new Response()], ["http://a", {}], ["/x", new Response()]]) out.push(await c.put(q, r).catch((e) => e.name)); return out`, `["TypeError","TypeError","TypeError","TypeError","TypeError","TypeError"]`},
		{"too large", `await c.put("http://a/x", new Response("x".repeat(3 << 20))); await c.put("http://a/y", new Response(new ReadableStream({ pull(s) { s.enqueue(new Uint8Array(1 << 20)) } }))); return [await c.match("http://a/x") === undefined, await c.match("http://a/y") === undefined]`, "[true,true]"},
		{"bounded", `for (let i = 0; i < 20; i++) { await c.put("http://a/" + i, new Response("x".repeat(1 << 20))); await c.match("http://a/0") } const held = []; for (let i = 0; i < 20; i++) if (await c.match("http://a/" + i)) held.push(i); return held`, "[0,14,15,16,17,18,19]"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			handler(t, `const c = caches.default; return Response.json(await (async () => {`+test.body+`})())`).check("/", test.want)
		})
	}
}

func TestDigest(t *testing.T) {
	a := handler(t, `
		const hex = (b) => [...new Uint8Array(b)].map((x) => x.toString(16).padStart(2, "0")).join("");
		const name = new URL(request.url).searchParams.get("a");
		const data = new Uint8Array(Number(new URL(request.url).searchParams.get("n"))).fill(97);
		try { return new Response(hex(await crypto.subtle.digest(name, data))) } catch (e) { return new Response(e.name) }`)
	tests := []struct{ path, want string }{
		{"/?a=SHA-1&n=0", "da39a3ee5e6b4b0d3255bfef95601890afd80709"},
		{"/?a=sha-256&n=3", "9834876dcfb05cb167a5c24953eba58c4ac89b1adf57f28f2f9d09af107ee8f0"},
		{"/?a=SHA-256&n=1000000", "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"},
		{"/?a=SHA-384&n=0", "38b060a751ac96384cd9327eb1b1e36a21fdb71114be07434c0cc7bf63f6e1da274edebfe76f65fbd51ad2f14898b95b"},
		{"/?a=SHA-512&n=1", "1f40fc92da241694750979ee6cf582f2d5d7d28e18335de05abc54d0560e0f5302860c652bf08d560252aa5e74210546f369fbbbce8c12cfc7957b2652fe9a75"},
		{"/?a=MD5&n=1", "NotSupportedError"},
	}
	for _, test := range tests {
		a.check(test.path, test.want)
	}
}

func TestLargeBodies(t *testing.T) {
	a := handler(t, `const b = new Uint8Array(5_000_000).fill(120); return new Response(new ReadableStream({ start(c) { c.enqueue(b); c.close() } }))`)
	x := a.do(request{})
	if x.body.Len() != 5_000_000 || x.failed != "" {
		t.Errorf("got %d bytes %s", x.body.Len(), x.failed)
	}
	echo := handler(t, `return new Response(await request.arrayBuffer())`)
	data := bytes.Repeat([]byte("0123456789"), 100_000)
	if got := echo.do(request{method: "POST", body: isolate.Bytes(data)}).body.String(); got != string(data) {
		t.Errorf("got %d bytes back of %d", len(got), len(data))
	}
}

// tryLoad is the error that loading a module ends with.
func tryLoad(t *testing.T, code string) error {
	t.Helper()
	a := open(t, nowhere, nil)
	ctx, cancel := context.WithTimeout(context.Background(), await.Deadline)
	defer cancel()
	_, err := a.isolate.Load(ctx, isolate.Module{Code: []byte(code), Name: "app:test", Env: "{}"})
	return err
}
