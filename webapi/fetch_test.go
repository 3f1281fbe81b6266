package webapi

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/andybalholm/brotli"

	"github.com/nano-runtime/nano/internal/await"
)

// serve starts a server for fetches.
func serve(t testing.TB, handler http.HandlerFunc) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	return server
}

// fetcher loads a handler in whose body base is a server's URL, and show(response) its text, or what went wrong.
func fetcher(t testing.TB, base, body string, allows func(string, netip.AddrPort) bool) *app {
	t.Helper()
	return load(t, fmt.Sprintf(`
		const base = %q;
		const reason = (e) => e.name + ": " + (e.message ?? e) + (e.cause ? " (" + e.cause.message + ")" : "");
		async function show(promise) {
			try {
				const r = await promise;
				return r.status + " " + await r.text();
			} catch (e) {
				return reason(e);
			}
		}
		export default { async fetch(request, env, ctx) { %s } }`, base, body), allows)
}

// echo answers with what it was asked.
func echo(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	fmt.Fprintf(w, "%s %s %d %v %q", r.Method, r.RequestURI, r.ContentLength, r.TransferEncoding, body)
	for _, name := range []string{"Content-Type", "X-A", "Authorization", "Cookie", "Accept", "Accept-Encoding", "User-Agent", "Connection"} {
		for _, value := range r.Header[name] {
			fmt.Fprintf(w, " %s=%s", name, value)
		}
	}
	if err != nil {
		fmt.Fprintf(w, " %v", err)
	}
}

// What an app replaces in the platform's prototypes gets nothing past the checks.
func TestFetchOfTamperers(t *testing.T) {
	var asked atomic.Bool
	server := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		asked.Store(true)
		_, _ = io.Copy(io.Discard, r.Body)
	})
	a := handler(t, `
		const { exec } = RegExp.prototype;
		RegExp.prototype.exec = function (text) {
			if (!String(text).includes("\r\n")) return exec.call(this, text);
			return this.source.includes("0-9A-Za-z]+$") ? [text] : null; // a token, and nothing that is forbidden
		};
		return fetch("`+server.URL+`", { method: "GET /a HTTP/1.1\r\nHost: b\r\n\r\nGET" }).then(() => new Response("sent"), (e) => new Response(e.name));`)
	a.check("/", "TypeError")
	if asked.Load() {
		t.Error("a method of several lines was sent")
	}
	large := handler(t, `
		const big = new Uint8Array(4 << 20);
		Uint8Array.prototype.subarray = () => big;
		const body = new ReadableStream({ start(c) { c.enqueue(new Uint8Array(1 << 20)); c.close(); } });
		return fetch("`+server.URL+`", { method: "POST", duplex: "half", body }).then(() => new Response("sent"), (e) => new Response(e.name));`)
	large.check("/", "TypeError")
}

func TestFetchRequest(t *testing.T) {
	server := serve(t, echo)
	const defaults = " Accept=*/* Accept-Encoding=gzip, deflate, br User-Agent=nano"
	tests := []struct{ name, fetch, want string }{
		{"plain", `fetch(base)`, `200 GET / 0 [] ""` + defaults},
		{"URL object", `fetch(new URL("/x?y=z#f", base))`, `200 GET /x?y=z 0 [] ""` + defaults},
		{"Request", `fetch(new Request(base, { headers: { "x-a": "1" } }))`, `200 GET / 0 [] "" X-A=1` + defaults},
		{"odd path", `fetch(base + "/%41|a'/[b]//c;d?e=%f|{}")`, `200 GET /%41|a'/[b]//c;d?e=%f|{} 0 [] ""` + defaults},
		{"dots", `fetch(base + "/a/../b/./c")`, `200 GET /b/c 0 [] ""` + defaults},
		{"two slashes", `fetch(base + "//a%20b")`, `200 GET //a%20b 0 [] ""` + defaults},
		{"no query", `fetch(base + "/a?")`, `200 GET /a? 0 [] ""` + defaults},
		{"text", `fetch(base, { method: "POST", body: "é" })`, `200 POST / 2 [] "é" Content-Type=text/plain;charset=UTF-8` + defaults},
		{"bytes", `fetch(base, { method: "put", body: new Uint8Array([0, 255]) })`, `200 PUT / 2 [] "\x00\xff"` + defaults},
		{"empty", `fetch(base, { method: "POST" })`, `200 POST / 0 [] ""` + defaults},
		{"parameters", `fetch(base, { method: "POST", body: new URLSearchParams("a=b") })`, `200 POST / 3 [] "a=b" Content-Type=application/x-www-form-urlencoded;charset=UTF-8` + defaults},
		{"stream", `fetch(base, { method: "POST", duplex: "half", body: ReadableStream.from([new Uint8Array([97]), new Uint8Array([98])]) })`, `200 POST / -1 [chunked] "ab"` + defaults},
		{"stream of known length", `fetch(base, { method: "POST", headers: { "content-length": "2" }, body: ReadableStream.from([new Uint8Array([97]), new Uint8Array([98])]) })`, `200 POST / 2 [] "ab"` + defaults},
		{
			"own headers", `fetch(base, { headers: [["x-a", "1"], ["x-a", "2"], ["accept", "a/b"], ["user-agent", "me"], ["cookie", "a=b"], ["accept-encoding", "br"]] })`,
			`200 GET / 0 [] "" X-A=1 X-A=2 Cookie=a=b Accept=a/b Accept-Encoding=br User-Agent=me`,
		},
		{"range", `fetch(base, { headers: { range: "bytes=0-1" } })`, `200 GET / 0 [] "" Accept=*/* Accept-Encoding=identity User-Agent=nano`},
		{
			"the connection's headers", `fetch(base, { headers: { host: "evil", connection: "x-a", "content-length": "7", te: "trailers", "transfer-encoding": "chunked", expect: "100-continue" } })`,
			`200 GET / 0 [] ""` + defaults,
		},
		{"large", `fetch(base, { method: "POST", body: "x".repeat(300000) }).then(async (r) => new Response((await r.text()).length))`, fmt.Sprintf("200 %d", len(`POST / 300000 [] "" Content-Type=text/plain;charset=UTF-8`+defaults)+300000)},
		{"relative", `fetch("/x")`, `TypeError: Invalid URL: "/x"`},
		{"scheme", `fetch("ftp://a.example/")`, `TypeError: fetch failed: ftp://a.example/ is neither an http nor an https URL (ftp://a.example/ is neither an http nor an https URL)`},
		{"body of a GET", `fetch(base, { body: "x" })`, "TypeError: Request: a GET request can't have a body"},
		{"broken stream", `fetch(base, { method: "POST", body: new ReadableStream({ pull() { throw new RangeError("no") } }) })`, "RangeError: no"},
		{"text in a stream", `fetch(base, { method: "POST", body: ReadableStream.from(["x"]) })`, "TypeError: a body's stream must hold Uint8Array chunks, but it held a string"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			fetcher(t, server.URL, "return new Response(await show("+test.fetch+"))", anywhere).check("/", test.want)
		})
	}
}

func TestFetchResponse(t *testing.T) {
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Add("Set-Cookie", "a=1")
		w.Header().Add("Set-Cookie", "b=2")
		w.Header().Set("X-Bytes", "\xe9\xff")
		w.Header()["Date"] = nil
		status := http.StatusOK
		fmt.Sscanf(r.URL.Path, "/%d", &status)
		w.WriteHeader(status)
		if status != 204 && status != 304 {
			io.WriteString(w, "body")
		}
	})
	tests := []struct{ name, body, want string }{
		{
			"all of it", `const r = await fetch(base + "/404#f"); return Response.json([r.status, r.statusText, r.ok, r.url === base + "/404", r.redirected, r.type, r.headers.getSetCookie(), r.headers.get("x-bytes"), r.headers.get("content-length"), await r.text(), r.bodyUsed])`,
			`[404,"Not Found",false,true,false,"basic",["a=1","b=2"],"éÿ","4","body",true]`,
		},
		{"HEAD", `const r = await fetch(base, { method: "HEAD" }); return Response.json([r.body, r.headers.get("content-length"), await r.text()])`, `[null,"4",""]`},
		{"204", `const r = await fetch(base + "/204"); return Response.json([r.status, r.body])`, `[204,null]`},
		{"304", `const r = await fetch(base + "/304"); return Response.json([r.status, r.body])`, `[304,null]`},
		{"immutable", `try { (await fetch(base)).headers.set("a", "b") } catch (e) { return new Response(e.name) }`, "TypeError"},
		{"clone", `const r = await fetch(base); const c = r.clone(); return new Response(await r.text() + await c.text())`, "bodybody"},
		{"pass through", `return fetch(base)`, "body"},
		{"pass through, other headers", `const r = await fetch(base); return new Response(r.body, { status: 201, headers: { a: "b" } })`, "body"},
		{"pass through of a stream that others hold", `const r = await fetch(base); const s = r.body; const t = new Response(s, r); return Response.json([await t.text(), r.bodyUsed, s.locked, t.body === s])`, `["body",true,true,true]`},
		{"twice passed through", `const r = await fetch(base); const s = new Response(new Response(r.body).body); return s`, "body"},
		{"passed through and cloned", `const r = await fetch(base); const s = new Response(r.body); const t = s.clone(); return new Response(await s.text() + await t.text())`, "bodybody"},
		{"passed through and cancelled", `const r = await fetch(base); const s = new Response(r.body); await s.body.cancel(); return new Response(String(r.bodyUsed))`, "true"},
		{"pass through a transform", `const r = await fetch(base); return new Response(r.body.pipeThrough(new TransformStream()))`, "body"},
		{"reader", `const reader = (await fetch(base)).body.getReader(); const { value } = await reader.read(); return Response.json([value.length, (await reader.read()).done])`, "[4,true]"},
		{"cancelled", `const r = await fetch(base); await r.body.cancel(); return Response.json([r.bodyUsed, await show(Promise.resolve(r))])`, `[true,"TypeError: the body was read before, or is being read"]`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			fetcher(t, server.URL, test.body, anywhere).check("/", test.want)
		})
	}
	x := fetcher(t, server.URL, `return fetch(base)`, anywhere).do(request{})
	want := "content-length\n4\ncontent-type\ntext/plain; charset=utf-8\nset-cookie\na=1\nset-cookie\nb=2\nx-bytes\n\xe9\xff\n"
	if x.header != want {
		t.Errorf("passed through %q, want %q", x.header, want)
	}
}

// TestSmallBodies: one that comes with its head crosses with it; one that is late keeps nothing waiting, and one that
// breaks off is told of when it is read.
func TestSmallBodies(t *testing.T) {
	seen := make(chan struct{}) // closed when the app has the head
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/seen" {
			close(seen)
			return
		}
		w.Header().Set("Content-Length", "8")
		io.WriteString(w, "half")
		if err := http.NewResponseController(w).Flush(); err != nil {
			t.Error(err)
		}
		switch r.URL.Path {
		case "/late":
			<-seen
		case "/broken":
			panic(http.ErrAbortHandler)
		case "/aborted":
			<-r.Context().Done()
		}
		io.WriteString(w, "half")
	})
	tests := []struct{ name, body, want string }{
		{"prompt", `return fetch(base)`, "halfhalf"},
		{"late", `const r = await fetch(base + "/late"); await fetch(base + "/seen"); return new Response(r.status + await r.text())`, "200halfhalf"},
		{"broken", `const r = await fetch(base + "/broken"); return new Response(r.status + await show(Promise.resolve(r)))`, "200TypeError: the response's body broke off: " + server.Listener.Addr().String() + " closed the connection too early"},
		{"cancelled", `const r = await fetch(base + "/aborted"); await r.body.cancel(); return new Response("cancelled")`, "cancelled"},
		{"aborted", `const a = new AbortController(); const r = await fetch(base + "/aborted", { signal: a.signal }); const text = show(Promise.resolve(r)); a.abort(); return new Response(await text)`, "AbortError: the operation was aborted"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			fetcher(t, server.URL, test.body, anywhere).check("/", test.want)
		})
	}
}

func TestRedirects(t *testing.T) {
	other := serve(t, echo)
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		query := r.URL.Query()
		if to := query.Get("to"); to != "" {
			status := 302
			fmt.Sscan(query.Get("status"), &status)
			w.Header()["Location"] = []string{to}
			w.WriteHeader(status)
			io.WriteString(w, "moved")
			return
		}
		echo(w, r)
	})
	const defaults = " Accept=*/* Accept-Encoding=gzip, deflate, br User-Agent=nano"
	to := func(status int, location string) string {
		return fmt.Sprintf("base + %q", fmt.Sprintf("/from/?status=%d&to=%s", status, url.QueryEscape(location)))
	}
	const credentials = `{ headers: { authorization: "secret", cookie: "a=b", "x-a": "1" } }`
	tests := []struct{ name, fetch, want string }{
		{"follow", `fetch(` + to(301, "/x") + `)`, `200 GET /x 0 [] ""` + defaults},
		{"relative", `fetch(` + to(302, "../y?z") + `)`, `200 GET /y?z 0 [] ""` + defaults},
		{"not ASCII", `fetch(` + to(302, "/é x") + `)`, `200 GET /%C3%A9%20x 0 [] ""` + defaults},
		{"url and redirected", `fetch(` + to(302, "/x#g") + `).then((r) => new Response(r.url.slice(base.length) + r.redirected))`, "200 /xtrue"},
		{"POST, 301", `fetch(` + to(301, "/x") + `, { method: "POST", body: "b" })`, `200 GET /x 0 [] ""` + defaults},
		{"POST, 303", `fetch(` + to(303, "/x") + `, { method: "POST", body: "b" })`, `200 GET /x 0 [] ""` + defaults},
		{"PUT, 302", `fetch(` + to(302, "/x") + `, { method: "PUT", body: "b" })`, `200 PUT /x 1 [] "b" Content-Type=text/plain;charset=UTF-8` + defaults},
		{"PUT, 303", `fetch(` + to(303, "/x") + `, { method: "PUT", body: "b" })`, `200 GET /x 0 [] ""` + defaults},
		{"POST, 307", `fetch(` + to(307, "/x") + `, { method: "POST", body: "b" })`, `200 POST /x 1 [] "b" Content-Type=text/plain;charset=UTF-8` + defaults},
		{"POST, 308", `fetch(` + to(308, "/x") + `, { method: "POST", body: new Uint8Array([98]) })`, `200 POST /x 1 [] "b"` + defaults},
		{"stream, 307", `fetch(` + to(307, "/x") + `, { method: "POST", body: ReadableStream.from([new Uint8Array(1)]) }).catch((e) => new Response(e.cause.message))`, "200 the server redirects, and the body was a stream: it can't be sent again"},
		{"stream, 303", `fetch(` + to(303, "/x") + `, { method: "POST", body: ReadableStream.from([new Uint8Array(1)]) })`, `200 GET /x 0 [] ""` + defaults},
		{"credentials stay", `fetch(` + to(302, "/x") + `, ` + credentials + `)`, `200 GET /x 0 [] "" X-A=1 Authorization=secret Cookie=a=b` + defaults},
		{"credentials go", `fetch(` + to(302, other.URL+"/x") + `, ` + credentials + `)`, `200 GET /x 0 [] "" X-A=1` + defaults},
		{"manual", `fetch(` + to(302, "/x") + `, { redirect: "manual" }).then(async (r) => new Response(r.status + r.headers.get("location") + await r.text()))`, "200 302/xmoved"},
		{"error", `fetch(` + to(302, "/x") + `, { redirect: "error" }).catch((e) => new Response(e.cause.message))`, "200 the server redirects to /x"},
		{"bad URL", `fetch(` + to(302, "http://") + `).catch((e) => new Response(e.cause.message))`, "200 the server redirects to http://, which is no http or https URL"},
		{"bad scheme", `fetch(` + to(302, "file:///etc/passwd") + `).catch((e) => new Response(e.cause.message))`, "200 the server redirects to file:///etc/passwd, which is no http or https URL"},
		{"user name", `fetch(` + to(302, "http://u:p@a.example/") + `).catch((e) => new Response(e.cause.message))`, "200 the server redirects to a URL with a user name or password"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			fetcher(t, server.URL, "return new Response(await show("+test.fetch+"))", anywhere).check("/", test.want)
		})
	}

	t.Run("for ever", func(t *testing.T) {
		var asked atomic.Int32
		server := serve(t, func(w http.ResponseWriter, r *http.Request) {
			asked.Add(1)
			http.Redirect(w, r, "/again", http.StatusFound)
		})
		fetcher(t, server.URL, `return new Response(await fetch(base).catch((e) => e.cause.message))`, anywhere).check("/", "more than 20 redirects")
		if asked.Load() != 21 {
			t.Errorf("the server was asked %d times", asked.Load())
		}
	})
	t.Run("to where the app may not go", func(t *testing.T) {
		here := netip.MustParseAddrPort(server.Listener.Addr().String())
		a := fetcher(t, server.URL, `return new Response(await show(fetch(`+to(302, other.URL)+`)))`,
			func(_ string, addr netip.AddrPort) bool { return addr == here })
		if got := a.get("/"); !strings.Contains(got, "127.0.0.1 is not a public address") {
			t.Errorf("got %s", got)
		}
	})
}

func TestContentCodings(t *testing.T) {
	const text = "some text, some text, some text"
	pack := func(open func(io.Writer) io.WriteCloser) string {
		var b bytes.Buffer
		w := open(&b)
		io.WriteString(w, text)
		w.Close()
		return b.String()
	}
	asGzip := pack(func(w io.Writer) io.WriteCloser { return gzip.NewWriter(w) })
	asBrotli := pack(func(w io.Writer) io.WriteCloser { return brotli.NewWriter(w) })
	twice := pack(func(w io.Writer) io.WriteCloser { return brotli.NewWriter(w) })
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	io.WriteString(w, twice)
	w.Close()
	twice = b.String()

	tests := []struct{ coding, body, want string }{
		{"gzip", asGzip, text + " null null"},
		{"X-GZIP", asGzip, text + " null null"},
		{"deflate", pack(func(w io.Writer) io.WriteCloser { return zlib.NewWriter(w) }), text + " null null"},
		{"deflate", pack(func(w io.Writer) io.WriteCloser { f, _ := flate.NewWriter(w, 5); return f }), text + " null null"},
		{"br", asBrotli, text + " null null"},
		{"br, gzip", twice, text + " null null"},
		{"identity", text, text + " identity 31"},
		{"compress", text, text + " compress 31"},
		{"gzip", "", " null null"},
		{"gzip", "this isn't gzip", "the response's body broke off: it isn't what its Content-Encoding says"},
		{"br", "this isn't brotli", "the response's body broke off: it isn't what its Content-Encoding says"},
		{"gzip", asGzip[:len(asGzip)-10], "closed the connection too early"},
	}
	for _, test := range tests {
		t.Run(test.coding, func(t *testing.T) {
			server := serve(t, func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Encoding", test.coding)
				io.WriteString(w, test.body)
			})
			a := fetcher(t, server.URL, `
				const r = await fetch(base);
				try { return new Response(await r.text() + " " + r.headers.get("content-encoding") + " " + r.headers.get("content-length")) }
				catch (e) { return new Response(e.message) }`, anywhere)
			if got := a.get("/"); !strings.Contains(got, test.want) {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestAbort(t *testing.T) {
	var open atomic.Int64 // requests that the server is busy with
	opened := func(t *testing.T, want int64) {
		t.Helper()
		for end := time.Now().Add(await.Deadline); open.Load() != want; time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("the server has %d requests open, want %d", open.Load(), want)
			}
		}
	}
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		open.Add(1)
		defer open.Add(-1)
		if r.URL.Path == "/body" {
			io.WriteString(w, "start")
			w.(http.Flusher).Flush()
		}
		io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
	})
	tests := []struct{ name, body, want string }{
		{"before", `const c = new AbortController(); c.abort("why"); return new Response(await fetch(base, { signal: c.signal }).catch((e) => e))`, "why"},
		{"while waiting", `const c = new AbortController(); setTimeout(() => c.abort(), 10); return new Response(await show(fetch(base, { signal: c.signal })))`, "AbortError: the operation was aborted"},
		{"after a time", `return new Response(await show(fetch(base, { signal: AbortSignal.timeout(10) })))`, "TimeoutError: the operation timed out"},
		{"by the Request's signal", `const c = new AbortController(); const r = new Request(base, { signal: c.signal }); setTimeout(() => c.abort(new RangeError("no")), 10); return new Response(await show(fetch(r)))`, "RangeError: no"},
		{"while reading", `const c = new AbortController(); const r = await fetch(base + "/body", { signal: c.signal }); setTimeout(() => c.abort(), 10); return new Response(await show(Promise.resolve(r)))`, "AbortError: the operation was aborted"},
		{"while a stream waits", `const c = new AbortController(); const r = await fetch(base + "/body", { signal: c.signal }); const reader = r.body.getReader(); await reader.read(); setTimeout(() => c.abort(), 10); return new Response(await reader.read().catch(reason))`, "AbortError: the operation was aborted"},
		{"by cancelling the body", `const r = await fetch(base + "/body"); await r.body.cancel(); return new Response("cancelled")`, "cancelled"},
		{"by leaving the body", `await fetch(base + "/body"); return new Response("left")`, "left"},
		{"while sending", `const c = new AbortController(); let cancelled; const body = new ReadableStream({ pull: () => new Promise((r) => setTimeout(r, 5)), cancel(e) { cancelled = e } }); setTimeout(() => c.abort("why"), 10); await fetch(base, { method: "POST", body, signal: c.signal }).catch(() => {}); return new Response(cancelled)`, "why"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			fetcher(t, server.URL, test.body, anywhere).check("/", test.want)
			opened(t, 0) // on a busy machine the fetch may be over before it got there
		})
	}
	t.Run("by the isolate's end", func(t *testing.T) {
		a := fetcher(t, server.URL, `await fetch(base + "/body"); fetch(base); await new Promise(() => {})`, anywhere)
		a.begin(request{})
		opened(t, 2)
		a.host.Close()
		opened(t, 0)
	})
}

// What the server sends is read no faster than the app reads it, and arrives as it is sent.
func TestFetchStreams(t *testing.T) {
	t.Run("as it comes", func(t *testing.T) {
		next := make(chan string)
		server := serve(t, func(w http.ResponseWriter, r *http.Request) {
			for text := range next {
				io.WriteString(w, text)
				w.(http.Flusher).Flush()
			}
		})
		a := fetcher(t, server.URL, `
			for await (const chunk of (await fetch(base)).body) console.log(new TextDecoder().decode(chunk));
			return new Response("end")`, anywhere)
		_, x := a.begin(request{})
		for i, text := range []string{"one", "two", "three"} {
			next <- text
			a.waitLogs(i + 1)
		}
		close(next)
		a.wait(x.ended)
		a.expectLogs("one", "two", "three")
	})
	t.Run("no faster than it is read", func(t *testing.T) {
		var sent atomic.Int64
		server := serve(t, func(w http.ResponseWriter, r *http.Request) {
			data := make([]byte, 64<<10)
			for range 1024 {
				n, err := w.Write(data)
				if err != nil {
					return
				}
				sent.Add(int64(n))
			}
		})
		a := fetcher(t, server.URL, `
			const reader = (await fetch(base)).body.getReader();
			console.log((await reader.read()).value.length > 0);
			await new Promise((resolve) => setTimeout(resolve, 200));
			console.log("waited");
			let total = 0;
			for (;;) { const { done, value } = await reader.read(); if (done) break; total += value.length }
			return new Response(total)`, anywhere)
		_, x := a.begin(request{})
		a.waitLogs(2)
		if n := sent.Load(); n > 16<<20 {
			t.Errorf("%d MiB were taken from the server, nobody having asked for them", n>>20)
		}
		a.wait(x.ended)
	})
	t.Run("both ways at once", func(t *testing.T) {
		server := serve(t, func(w http.ResponseWriter, r *http.Request) {
			http.NewResponseController(w).EnableFullDuplex()
			w.(http.Flusher).Flush()
			buffer := make([]byte, 1024)
			for {
				n, err := r.Body.Read(buffer)
				w.Write(buffer[:n])
				w.(http.Flusher).Flush()
				if err != nil {
					return
				}
			}
		})
		a := fetcher(t, server.URL, `
			const { readable, writable } = new TransformStream();
			const writer = writable.getWriter();
			const promise = fetch(base, { method: "POST", body: readable, duplex: "half" });
			writer.write(new TextEncoder().encode("ping"));
			const reader = (await promise).body.getReader();
			const text = async () => new TextDecoder().decode((await reader.read()).value);
			const first = await text();
			writer.write(new TextEncoder().encode("pong"));
			const second = await text();
			await writer.close();
			return new Response(first + second + (await reader.read()).done)`, anywhere)
		a.check("/", "pingpongtrue")
	})
	t.Run("upload no faster than it is taken", func(t *testing.T) {
		release := make(chan struct{})
		var got atomic.Int64
		server := serve(t, func(w http.ResponseWriter, r *http.Request) {
			<-release
			n, _ := io.Copy(io.Discard, r.Body)
			got.Store(n)
		})
		a := fetcher(t, server.URL, `
			let made = 0;
			const body = new ReadableStream({ pull(c) {
				if (made === 64 << 20) return c.close();
				made += 1 << 20; c.enqueue(new Uint8Array(1 << 20));
			} });
			const promise = fetch(base, { method: "POST", body });
			await new Promise((resolve) => setTimeout(resolve, 300));
			console.log(made);
			await promise;
			return new Response(made)`, anywhere)
		_, x := a.begin(request{})
		a.waitLogs(1)
		a.mu.Lock()
		var made int
		fmt.Sscan(a.logs[0], &made)
		a.mu.Unlock()
		if made > 16<<20 {
			t.Errorf("%d MiB were made, nobody having taken them", made>>20)
		}
		close(release)
		a.wait(x.ended)
		if got.Load() != 64<<20 {
			t.Errorf("the server got %d bytes", got.Load())
		}
	})
	t.Run("answered before the upload's end", func(t *testing.T) {
		server := serve(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Connection", "close")
			http.Error(w, "enough", http.StatusRequestEntityTooLarge)
		})
		a := fetcher(t, server.URL, `
			let cancelled;
			const stopped = new Promise((resolve) => { cancelled = resolve });
			const body = new ReadableStream({ pull(c) { c.enqueue(new Uint8Array(100_000)) }, cancel() { cancelled("stopped") } });
			const text = await show(fetch(base, { method: "POST", body }));
			return new Response(text.trim() + await stopped)`, anywhere)
		if got := a.get("/"); got != "413 enoughstopped" && !strings.Contains(got, "broke") {
			t.Errorf("got %s", got)
		}
	})
}

func TestFetchFails(t *testing.T) {
	plain := serve(t, echo)
	secure := httptest.NewTLSServer(http.HandlerFunc(echo))
	defer secure.Close()
	secure.Config.ErrorLog = nil
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := listener.Addr().String()
	listener.Close()
	hangUp := serve(t, func(w http.ResponseWriter, r *http.Request) {
		conn, _, _ := w.(http.Hijacker).Hijack()
		conn.Close()
	})
	short := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "100")
		io.WriteString(w, "x")
	})
	tests := []struct {
		name, url string
		allows    func(string, netip.AddrPort) bool
		want      string
	}{
		{"not allowed", plain.URL, nowhere, "TypeError: fetch failed: 127.0.0.1 is not a public address, and the app's configuration doesn't allow it (egress)"},
		{"nobody listens", "http://" + closed, anywhere, "TypeError: fetch failed: cannot connect to " + closed + ": connection refused"},
		{"hangs up", hangUp.URL, anywhere, "closed the connection too early"},
		{"breaks off", short.URL, anywhere, "TypeError: the response's body broke off: "},
		{"certificate", secure.URL, anywhere, "is not valid"},
		{"no TLS", "https" + strings.TrimPrefix(plain.URL, "http"), anywhere, "doesn't speak TLS"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := fetcher(t, test.url, `return new Response(await show(fetch(base)))`, test.allows).get("/")
			if !strings.Contains(got, test.want) {
				t.Errorf("got %q, want %q in it", got, test.want)
			}
		})
	}
}

func TestManyFetches(t *testing.T) {
	var now, most atomic.Int32
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		n := now.Add(1)
		defer now.Add(-1)
		for {
			old := most.Load()
			if n <= old || most.CompareAndSwap(old, n) {
				break
			}
		}
		io.WriteString(w, r.URL.Path)
		if r.URL.Path == "/long" {
			_ = http.NewResponseController(w).Flush() // the app may be gone
		}
	})
	a := fetcher(t, server.URL, `
		const texts = await Promise.all(Array.from({ length: 500 }, async (_, i) => (await fetch(base + "/" + i)).text()));
		return new Response(texts.every((text, i) => text === "/" + i))`, anywhere)
	a.check("/", "true")
	if most.Load() > maxRunning {
		t.Errorf("%d fetches ran at once", most.Load())
	}
	// Responses that nobody reads keep their slots, unless they are small, and the queue behind them is bounded.
	unread := fetcher(t, server.URL, `
		const refused = [];
		const count = Number(new URL(request.url).searchParams.get("count"));
		await new Promise((resolve) => {
			for (let i = 0; i < count; i++) fetch(base + "/long").catch((e) => { if (refused.push(e.message) === 10) resolve() });
		});
		return new Response(refused[9])`, anywhere)
	unread.check(fmt.Sprintf("/?count=%d", maxRunning+maxWaiting+10),
		"fetch failed: too many fetches at once: read or cancel the bodies of earlier responses")
}

func TestProxiesOfTheEnvironment(t *testing.T) {
	t.Setenv("HTTP_PROXY", "http://127.0.0.1:1")
	t.Setenv("http_proxy", "http://127.0.0.1:1")
	t.Setenv("ALL_PROXY", "http://127.0.0.1:1")
	server := serve(t, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "direct") })
	fetcher(t, server.URL, `return new Response(await show(fetch(base)))`, anywhere).check("/", "200 direct")
}
