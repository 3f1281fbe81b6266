package app_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/nano-runtime/nano/app"
	"github.com/nano-runtime/nano/internal/await"
)

func TestHosts(t *testing.T) {
	h := start(t, `
-- nano.toml --
[apps.a]
hosts = ["a.example.com", "*.wild.example.com"]
root = "a"
[apps.b]
hosts = ["b.example.com", "exact.wild.example.com", "bücher.example"]
root = "b"
-- a/index.js --
export default { fetch: r => new Response("a " + r.url) }
-- b/index.js --
export default { fetch: r => new Response("b " + r.url) }
`)
	for _, tc := range []struct {
		host   string
		status int
		want   string
	}{
		{"a.example.com", 200, "a http://a.example.com/x?y"},
		{"A.Example.COM:8080", 200, "a http://a.example.com:8080/x?y"},
		{"a.example.com.", 200, "a http://a.example.com./x?y"},
		{"deep.er.wild.example.com", 200, "a http://deep.er.wild.example.com/x?y"},
		{"exact.wild.example.com", 200, "b http://exact.wild.example.com/x?y"},
		{"xn--bcher-kva.example", 200, "b http://xn--bcher-kva.example/x?y"},
		{"unknown.example.com", 404, "no app has this host\n"},
		{"wild.example.com", 404, "no app has this host\n"},
		{"a..example.com", 400, "the Host header is malformed\n"},
	} {
		t.Run(tc.host, func(t *testing.T) {
			status, body := h.get(tc.host, "/x?y")
			if status != tc.status || body != tc.want {
				t.Errorf("got %d %q, want %d %q", status, body, tc.status, tc.want)
			}
		})
	}
}

func TestDefaultApp(t *testing.T) {
	h := start(t, one("default = true", `export default { fetch: () => new Response("mine") }`))
	if status, body := h.get("whoever.example", "/"); status != 200 || body != "mine" {
		t.Errorf("got %d %q", status, body)
	}
}

// TestExactness is what an app says against what the client gets, byte for byte.
func TestExactness(t *testing.T) {
	for _, tc := range []struct {
		name, method, respond string
		status                int
		header                http.Header
		body                  string
	}{
		{
			"set-cookie stays repeated", "GET",
			`const h = new Headers(); h.append("set-cookie", "a=1; Path=/"); h.append("set-cookie", "b=2, c"); return new Response("x", {headers: h})`,
			200,
			http.Header{"Set-Cookie": {"a=1; Path=/", "b=2, c"}, "Content-Type": {"text/plain;charset=UTF-8"}, "Content-Length": {"1"}},
			"x",
		},
		{"redirect", "GET", `return Response.redirect("https://example.com/é", 307)`, 307, http.Header{"Location": {"https://example.com/%C3%A9"}, "Content-Length": {"0"}}, ""},
		{"no content", "GET", `return new Response(null, {status: 204})`, 204, http.Header{}, ""},
		{"not modified", "GET", `return new Response(null, {status: 304, headers: {etag: '"x"'}})`, 304, http.Header{"Etag": {`"x"`}}, ""},
		{"head", "HEAD", `return new Response("12345")`, 200, http.Header{"Content-Type": {"text/plain;charset=UTF-8"}, "Content-Length": {"5"}}, ""},
		{"empty", "GET", `return new Response("")`, 200, http.Header{"Content-Type": {"text/plain;charset=UTF-8"}, "Content-Length": {"0"}}, ""},
		{"null", "GET", `return new Response()`, 200, http.Header{"Content-Length": {"0"}}, ""},
		{"binary", "GET", `return new Response(new Uint8Array([0, 255, 10, 13, 128]))`, 200, http.Header{"Content-Length": {"5"}}, "\x00\xff\n\r\x80"},
		{"non-ASCII header", "GET", `return new Response(null, {headers: {"x-name": "\u00e9\u00ff"}})`, 200, http.Header{"X-Name": {"\xe9\xff"}, "Content-Length": {"0"}}, ""},
		{"UTF-8 body", "GET", `return new Response("h\u00e9 \u{1F600}")`, 200, http.Header{"Content-Type": {"text/plain;charset=UTF-8"}, "Content-Length": {"8"}}, "hé 😀"},
		{"json", "GET", `return Response.json({a: [1, null]}, {status: 201})`, 201, http.Header{"Content-Type": {"application/json"}, "Content-Length": {"14"}}, `{"a":[1,null]}`},
		{"status", "GET", `return new Response("x", {status: 418})`, 418, http.Header{"Content-Type": {"text/plain;charset=UTF-8"}, "Content-Length": {"1"}}, "x"},
		{
			"request headers", "GET", `return new Response([...request.headers].filter(([n]) => n.startsWith("x-t")).map(h => h.join("=")).join("|"))`,
			200,
			http.Header{"Content-Type": {"text/plain;charset=UTF-8"}, "Content-Length": {"18"}},
			"x-t1=a, b|x-t2=\xc3\xa9c",
		},
		{"thrown", "GET", `throw new Error("secret")`, 500, http.Header{"Content-Type": {"text/plain; charset=utf-8"}, "Cache-Control": {"no-store"}, "Content-Length": {"22"}}, "Internal Server Error\n"},
		{"no response", "GET", `return "text"`, 500, http.Header{"Content-Type": {"text/plain; charset=utf-8"}, "Cache-Control": {"no-store"}, "Content-Length": {"22"}}, "Internal Server Error\n"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h := start(t, one("", "export default { async fetch(request) {"+tc.respond+"} }"))
			req := h.request(tc.method, "test", "/", nil)
			req.Header = http.Header{"X-T1": {"a", "b"}, "X-T2": {"\xe9c"}}
			res, body := h.do(req)
			if res.StatusCode != tc.status || body != tc.body {
				t.Errorf("got %d %q, want %d %q", res.StatusCode, body, tc.status, tc.body)
			}
			res.Header.Del("Date")
			if diff := cmp.Diff(tc.header, res.Header); diff != "" {
				t.Errorf("header (-want +got):\n%s", diff)
			}
		})
	}
}

func TestHandlerForms(t *testing.T) {
	for _, tc := range []struct{ name, code string }{
		{"object", `export default { fetch: (request, env) => new Response(env.A) }`},
		{"async", `export default { async fetch(request, env) { await new Promise(r => setTimeout(r, 1)); return new Response(env.A) } }`},
		{"class", `export default class { constructor(ctx, env) { this.env = env } fetch() { return new Response(this.env.A) } }`},
		{"instance", `class App { fetch(request, env) { return new Response(env.A) } } export default new App()`},
		{"service worker", `addEventListener("fetch", e => e.respondWith(new Response("1")))`},
		{"top-level await", `const x = await Promise.resolve("1"); export default { fetch: () => new Response(x) }`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h := start(t, one(`env = { A = "1" }`, tc.code))
			if status, body := h.get("test", "/"); status != 200 || body != "1" {
				t.Errorf("got %d %q\n%s", status, body, h.log)
			}
		})
	}
}

func TestBodies(t *testing.T) {
	h := start(t, one("", `
export default {
  async fetch(request) {
    switch (new URL(request.url).pathname) {
    case "/text": return new Response(await request.text());
    case "/echo": return new Response(request.body, {headers: {"content-type": request.headers.get("content-type") ?? ""}});
    case "/form": { const f = await request.formData(); return new Response([...f].map(([k, v]) => k + "=" + (v.name ?? v)).join("&")) }
    case "/count": { let n = 0; for await (const c of request.body) n += c.length; return new Response(String(n)) }
    case "/ignore": return new Response("ignored");
    }
  }
}`))
	big := strings.Repeat("0123456789abcdef", 1<<16) // 1 MiB
	for _, tc := range []struct {
		name, target, contentType string
		body                      io.Reader
		want                      string
	}{
		{"small text", "/text", "", strings.NewReader("hello"), "hello"},
		{"none", "/text", "", nil, ""},
		{"big text", "/text", "", strings.NewReader(big), big},
		{"chunked", "/text", "", io.MultiReader(strings.NewReader("a"), strings.NewReader(big)), "a" + big},
		{"echo", "/echo", "", strings.NewReader(big), big},
		{"count", "/count", "", io.MultiReader(strings.NewReader(big)), fmt.Sprint(len(big))},
		{"unread", "/ignore", "", strings.NewReader(big), "ignored"},
		{"form", "/form", "application/x-www-form-urlencoded", strings.NewReader("a=1&b=%C3%A9"), "a=1&b=é"},
		{"multipart", "/form", "multipart/form-data; boundary=X", strings.NewReader("--X\r\nContent-Disposition: form-data; name=\"f\"; filename=\"n.txt\"\r\n\r\nhi\r\n--X--\r\n"), "f=n.txt"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			req := h.request("POST", "test", tc.target, tc.body)
			if tc.contentType != "" {
				req.Header.Set("Content-Type", tc.contentType)
			}
			res, body := h.do(req)
			if res.StatusCode != 200 || body != tc.want {
				t.Errorf("got %d and %d bytes %.60q, want %d bytes %.60q\n%s", res.StatusCode, len(body), body, len(tc.want), tc.want, h.log)
			}
		})
	}
}

func TestEventsArriveAsWritten(t *testing.T) {
	h := start(t, one("", `
let next = [];
export default {
  fetch(request) {
    if (new URL(request.url).pathname === "/say") { next.shift()(); return new Response("said") }
    const e = new TextEncoder();
    return new Response(new ReadableStream({
      async start(c) {
        for (let n = 0; n < 3; n++) { c.enqueue(e.encode("data: " + n + "\n\n")); await new Promise(r => next.push(r)) }
        c.close();
      }
    }), {headers: {"content-type": "text/event-stream"}});
  }
}`))
	res, err := client.Do(h.request("GET", "test", "/", nil))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	lines := bufio.NewReader(res.Body)
	for n := range 3 {
		line, err := lines.ReadString('\n')
		if want := fmt.Sprintf("data: %d\n", n); line != want || err != nil {
			t.Fatalf("got %q, %v; want %q before the next is written", line, err, want)
		}
		if _, err := lines.ReadString('\n'); err != nil {
			t.Fatal(err)
		}
		if _, body := h.get("test", "/say"); body != "said" {
			t.Fatalf("got %q", body)
		}
	}
	if _, err := lines.ReadString('\n'); err != io.EOF {
		t.Errorf("the stream ended with %v", err)
	}
}

func TestClientGoesAway(t *testing.T) {
	h := start(t, one("", `
const seen = [];
export default {
  fetch(request) {
    switch (new URL(request.url).pathname) {
    case "/seen": return Response.json(seen);
    case "/wait": request.signal.addEventListener("abort", () => seen.push("signal")); return new Promise(() => {});
    case "/stream": return new Response(new ReadableStream({
      start(c) { c.enqueue(new Uint8Array(10)) },
      cancel() { seen.push("cancel") }
    }));
    }
  }
}`))
	seen := func(want string) {
		t.Helper()
		await.That(t, "the app sees "+want, func() bool { _, body := h.get("test", "/seen"); return strings.Contains(body, want) })
	}
	ctx, cancel := context.WithCancel(context.Background())
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		if res, err := client.Do(h.request("GET", "test", "/wait", nil).WithContext(ctx)); err == nil {
			res.Body.Close()
		}
	}()
	await.That(t, "the request is in flight", func() bool { return h.set.App("test").Stats().InFlight > 0 })
	cancel()
	<-gone
	seen("signal")

	conn, err := net.Dial("tcp", h.addr)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(conn, "GET /stream HTTP/1.1\r\nHost: test\r\n\r\n")
	if _, err := bufio.NewReader(conn).ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	conn.Close()
	seen("cancel")
}

// The length of an upstream's body is not that of what the app makes of it.
func TestChangedBody(t *testing.T) {
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "5")
		_, _ = io.WriteString(w, "hello")
	}))
	t.Cleanup(upstream.Close)
	h := start(t, one(`egress = ["127.0.0.1"]
env = { UPSTREAM = "`+upstream.URL+`" }`, `
const twice = () => new TransformStream({ transform(chunk, to) { to.enqueue(chunk); to.enqueue(chunk.slice()); } });
export default { async fetch(request, env) {
  const res = await fetch(env.UPSTREAM);
  if (request.url.endsWith("/same")) return new Response(res.body, res);
  if (request.url.endsWith("/clone")) { res.clone().text(); return new Response(res.body, res); }
  if (request.url.endsWith("/cloned")) { const copy = res.clone(); res.body.cancel(); return copy; }
  return new Response(res.body.pipeThrough(twice()), res);
} }`))
	for target, want := range map[string]string{"/same": "5 hello", "/clone": "5 hello", "/cloned": "5 hello", "/twice": "-1 hellohello"} {
		if res, body := h.do(h.request("GET", "test", target, nil)); fmt.Sprint(res.ContentLength, " ", body) != want {
			t.Errorf("%s: got %d %q, want %s", target, res.ContentLength, body, want)
		}
	}
}

// A message comes with the stores, and for the request, of who sent it.
func TestMessagesKeepTheirRequest(t *testing.T) {
	h := start(t, one("", `
import { AsyncLocalStorage } from "node:async_hooks";
const user = new AsyncLocalStorage();
let go, here = 0;
const all = new Promise((resolve) => { go = resolve; });
export default { fetch(request) {
  const name = new URL(request.url).pathname;
  return user.run(name, () => new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port2.onmessage = () => { console.log("for " + name); resolve(new Response(user.getStore())); };
    all.then(() => port1.postMessage("x"));
    if (++here === 2) go();
  }));
} }`))
	bodies := make(chan string, 2)
	for _, target := range []string{"/a", "/b"} {
		go func() {
			r := h.request("GET", "test", target, nil)
			r.Header.Set("X-Request-Id", "of"+target[1:])
			_, body := h.do(r)
			bodies <- target + " " + body
		}()
	}
	got := []string{<-bodies, <-bodies}
	slices.Sort(got)
	if d := cmp.Diff([]string{"/a /a", "/b /b"}, got); d != "" {
		t.Error(d)
	}
	ids := regexp.MustCompile(`msg="for /(.)".* request_id=(\S+)`).FindAllStringSubmatch(h.log.String(), -1)
	if len(ids) != 2 || ids[0][2] == ids[1][2] {
		t.Errorf("both lines have one request's id: %q", ids)
	}
}

// A client that doesn't wait for a cold start is no failure of the app's.
func TestClientLeavesColdStart(t *testing.T) {
	starts, goOn := make(chan struct{}, 3), make(chan struct{}, 3)
	upstream := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		starts <- struct{}{}
		<-goOn
	}))
	t.Cleanup(upstream.Close)
	goOn <- struct{}{}
	h := start(t, one(`idle = "1s"
egress = ["127.0.0.1"]
env = { UPSTREAM = "`+upstream.URL+`" }`, `
import { env } from "cloudflare:workers";
await fetch(env.UPSTREAM);
export default { fetch: () => new Response("ok") };
`))
	<-starts
	await.That(t, "the app sleeps", func() bool { return h.state("test") == app.Sleeping })
	ctx, cancel := context.WithCancel(t.Context())
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		if res, err := client.Do(h.request("GET", "test", "/", nil).WithContext(ctx)); err == nil {
			res.Body.Close()
		}
	}()
	<-starts
	cancel()
	<-gone
	await.That(t, "the request is over", func() bool { return h.set.App("test").Stats().InFlight == 0 })
	close(goOn)
	if status, body := h.get("test", "/"); status != 200 || body != "ok" {
		t.Errorf("the next one got %d %q", status, body)
	}
	if codes := h.set.App("test").Stats().Requests; codes[0] != 1 || codes[200] != 1 || len(codes) != 2 {
		t.Errorf("counted %v", codes)
	}
	if h.log.Contains("cannot start") {
		t.Errorf("logged:\n%s", h.log)
	}
}

func TestWaitUntil(t *testing.T) {
	h := start(t, one("", `
let done = false;
export default {
  fetch(request, env, ctx) {
    if (new URL(request.url).pathname === "/done") return new Response(String(done));
    ctx.waitUntil(new Promise(r => setTimeout(() => { done = true; r() }, 20)));
    return new Response("first");
  }
}`))
	if _, body := h.get("test", "/"); body != "first" {
		t.Errorf("got %q", body)
	}
	await.That(t, "what waitUntil waits for is done", func() bool { _, body := h.get("test", "/done"); return body == "true" })
}
