package app_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync"
	"testing"

	"github.com/nano-runtime/nano/internal/await"
)

func TestLimits(t *testing.T) {
	for _, tc := range []struct {
		name, settings, code string
		body                 io.Reader
		status               int
		want, log            string
	}{
		{
			"timeout", `limits = { timeout = "50ms" }`, `export default { fetch: () => new Promise(() => {}) }`, nil,
			504, "the app took too long to answer\n", "limit=timeout",
		},
		{
			"cpu", `limits = { cpu = "20ms" }`, `export default { fetch() { for (;;); } }`, nil,
			503, "the app hit its cpu limit\n", "limit=cpu",
		},
		{
			"memory", `limits = { memory = "32MiB", cpu = "10s" }`, `export default { fetch() { const k = []; for (;;) k.push({ n: k.length, s: "x" + k.length }) } }`, nil,
			503, "the app hit its memory limit\n", "limit=memory",
		},
		{
			"buffers", `limits = { memory = "32MiB" }`, `export default { fetch() { return new Response(new Uint8Array(64 << 20)) } }`, nil,
			500, "Internal Server Error\n", "Array buffer allocation failed",
		},
		{
			"body by its length", `limits = { body = "1KiB" }`, `export default { fetch: async r => new Response(await r.text()) }`, strings.NewReader(strings.Repeat("x", 2000)),
			413, "the request's body is larger than 1 KiB\n", "limit=body",
		},
		{
			"body in chunks", `limits = { body = "1KiB" }`, `export default { fetch: async r => new Response(await r.text()) }`, io.MultiReader(strings.NewReader(strings.Repeat("x", 2000))),
			413, "the request's body is larger than 1 KiB\n", "limit=body",
		},
		{
			"waiting is free", `limits = { cpu = "10ms" }`, `export default { async fetch() { await new Promise(r => setTimeout(r, 300)); return new Response("waited") } }`, nil,
			200, "waited", "",
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h := start(t, one(tc.settings, tc.code)+"-- ok/index.js --\nexport default { fetch: () => new Response('ok') }\n")
			res, body := h.do(h.request("POST", "test", "/", tc.body))
			if res.StatusCode != tc.status || body != tc.want {
				t.Errorf("got %d %q, want %d %q\n%s", res.StatusCode, body, tc.status, tc.want, h.log)
			}
			if !h.log.Contains(tc.log) {
				t.Errorf("the log has no %q:\n%s", tc.log, h.log)
			}
		})
	}
}

// TestIsolateIsReplaced makes sure that an app answers again after it hit a limit, and
// that requests which JavaScript had not seen are not lost.
func TestIsolateIsReplaced(t *testing.T) {
	h := start(t, one(`limits = { cpu = "20ms" }`, `export default { fetch(r) { if (r.url.endsWith("/loop")) for (;;); return new Response("ok") } }`))
	var wg sync.WaitGroup
	for n := range 40 {
		wg.Go(func() {
			target, want := "/ok", 200
			if n == 0 {
				target, want = "/loop", 503
			}
			res, err := client.Do(h.request("GET", "test", target, nil))
			if err != nil {
				t.Error(err)
				return
			}
			defer res.Body.Close()
			if res.StatusCode != want {
				b, _ := io.ReadAll(res.Body)
				t.Errorf("%s: got %d %q, want %d", target, res.StatusCode, b, want)
			}
		})
	}
	wg.Wait()
	if status, _ := h.get("test", "/ok"); status != 200 {
		t.Errorf("afterwards: %d", status)
	}
}

func TestConcurrency(t *testing.T) {
	h := start(t, one(`limits = { concurrency = 2, timeout = "3s" }`, `export default { fetch: () => new Promise(() => {}) }`))
	const requests = 40
	results := make(chan *http.Response, requests)
	for range requests {
		go func() {
			res, err := client.Do(h.request("GET", "test", "/", nil))
			if err != nil {
				t.Error(err)
				res = &http.Response{}
			} else {
				res.Body.Close()
			}
			results <- res
		}()
	}
	// Two are inside until they time out. A few are in line, for a second; all others
	// are turned away at once.
	for range requests - 2 {
		res := <-results
		if res.StatusCode != 503 || res.Header.Get("Retry-After") == "" {
			t.Errorf("got %d with Retry-After %q", res.StatusCode, res.Header.Get("Retry-After"))
		}
	}
	if got := h.set.App("test").Stats().InFlight; got != 2 {
		t.Errorf("%d in flight, want 2", got)
	}
	for range 2 {
		if res := <-results; res.StatusCode != 504 {
			t.Errorf("inside: got %d", res.StatusCode)
		}
	}
	if !h.log.Contains("limit=concurrency") {
		t.Errorf("not in the log:\n%s", h.log)
	}
}

// What V8 copies for an app outside of its heap has the bounds of the heap, and what an app
// puts out at once leaves room for the answer.
func TestCopiesAndOutput(t *testing.T) {
	h := start(t, one(`limits = { memory = "64MiB", cpu = "20s" }`, `
export default { async fetch(request) {
  if (request.url.endsWith("/clone")) {
    const text = "x".repeat(5 << 20);
    try { structuredClone(new Error("a", { cause: Array(10_000).fill(text) })); } catch (e) { return new Response(e.name); }
  }
  const data = new Uint8Array(1 << 20);
  for (let n = 0; n < 100; n++) crypto.subtle.digest("SHA-1", data).catch(() => {});
  return new Response("out");
} }`))
	if status, body := h.get("test", "/clone"); status != 200 || body != "DataCloneError" {
		t.Errorf("a clone of 50 GB: got %d %q", status, body)
	}
	if status, body := h.get("test", "/output"); status != 200 || body != "out" {
		t.Errorf("100 MiB for digests: got %d %q", status, body)
	}
}

// White space costs no more than the time to read it, wherever a client puts it.
func TestLongWhiteSpace(t *testing.T) {
	h := start(t, one("", `
addEventListener("error", () => {});
export default { async fetch(request) {
  const { searchParams } = new URL(request.url);
  reportError(new Error("unknown key " + searchParams.get("q")));
  try { new Headers({ "x-a": searchParams.get("q") }); } catch {}
  const form = await request.formData();
  return new Response(form.get("a"));
} }`))
	long := strings.Repeat(" ", 15_000)
	for range 3 {
		r := h.request("POST", "test", "/?q=a"+strings.Repeat("+", 15_000)+"b%0Ac", strings.NewReader("--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nyes\r\n--b--\r\n"))
		r.Header.Set("Content-Type", "multipart/form-data;"+long+"boundary=b")
		if res, body := h.do(r); res.StatusCode != 200 || body != "yes" {
			t.Fatalf("got %d %q", res.StatusCode, body)
		}
	}
}

// TestFailedAppsLeaveOthersAlone: one that can't load answers 503, the rest serve.
func TestFailedAppsLeaveOthersAlone(t *testing.T) {
	h := newHost(t, `
-- nano.toml --
[apps.good]
hosts = ["good"]
root = "good"
[apps.syntax]
hosts = ["syntax"]
root = "syntax"
[apps.throws]
hosts = ["throws"]
root = "throws"
[apps.handler]
hosts = ["handler"]
root = "handler"
[apps.loops]
hosts = ["loops"]
root = "loops"
-- good/index.js --
export default { fetch: () => new Response("good") }
-- syntax/index.ts --
const a: number = 1;
let b = ;
-- throws/index.ts --
interface A {}
throw new Error("at start");
-- handler/index.js --
export const x = 1;
-- loops/index.js --
for (;;);
`)
	failed := h.apply().Failed
	for name, want := range map[string]string{
		"syntax":  "index.ts:2:9: Unexpected \";\"\n",
		"throws":  "index.ts:2:7",
		"handler": "fetch",
		"loops":   "too long",
	} {
		if err := failed[name]; err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", name, err, want)
		}
		if status, body := h.get(name, "/"); status != 503 || strings.Contains(body, name) {
			t.Errorf("%s: got %d %q", name, status, body)
		}
	}
	if status, body := h.get("good", "/"); status != 200 || body != "good" {
		t.Errorf("good: got %d %q", status, body)
	}
	if len(failed) != 4 {
		t.Errorf("failed: %v", failed)
	}
}

// TestReload changes an app in place: good, bad, good.
func TestReload(t *testing.T) {
	code := func(answer string) string {
		return fmt.Sprintf("-- test/index.js --\nexport default { fetch: () => new Response(%q) }\n", answer)
	}
	h := start(t, one("", "")+code("one"))
	h.write(code("two"))
	if c := h.apply("test"); len(c.Changed) != 1 {
		t.Errorf("changed: %v", c.Changed)
	}
	if _, body := h.get("test", "/"); body != "two" {
		t.Errorf("got %q", body)
	}
	h.write("-- test/index.js --\nexport default {\n")
	if c := h.apply("test"); c.Failed["test"] == nil {
		t.Error("a syntax error was taken")
	}
	if _, body := h.get("test", "/"); body != "two" {
		t.Errorf("after a bad change: got %q", body)
	}
	if _, err := h.set.App("test").State(); err == nil {
		t.Error("the app doesn't say that its last change failed")
	}
	h.write(code("three"))
	if c := h.apply(); len(c.Failed) != 0 { // after a failure every reload tries again
		t.Error(c.Failed)
	}
	if _, body := h.get("test", "/"); body != "three" {
		t.Errorf("got %q", body)
	}
}

// TestStuckGoroutine makes sure that a request whose goroutine never comes back from V8
// has its answer, that its connection goes on, and that its place in the app is free again.
func TestStuckGoroutine(t *testing.T) {
	h := start(t, one(`limits = { memory = "32MiB", cpu = "5s", concurrency = 1 }`, `export default { fetch(r) {
	if (r.url.endsWith("/park")) new Array(2 ** 27).fill(0);
	return new Response("ok");
} }`))
	c := &http.Client{Transport: &http.Transport{MaxConnsPerHost: 1}, Timeout: await.Deadline}
	defer c.CloseIdleConnections()
	var reused bool
	get := func(target string) (int, string) {
		t.Helper()
		ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{GotConn: func(i httptrace.GotConnInfo) { reused = i.Reused }})
		res, err := c.Do(h.request("GET", "test", target, nil).WithContext(ctx))
		if err != nil {
			t.Fatalf("%s: %v\n%s", target, err, h.log)
		}
		defer res.Body.Close()
		b, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return res.StatusCode, string(b)
	}
	if status, body := get("/park"); status != 503 || body != "the app hit its memory limit\n" {
		t.Errorf("the stuck one: %d %q", status, body)
	}
	for _, target := range []string{"/ok", "/ok"} {
		if status, body := get(target); status != 200 || body != "ok" || !reused {
			t.Errorf("%s: %d %q, on the same connection: %v\n%s", target, status, body, reused, h.log)
		}
	}
}
