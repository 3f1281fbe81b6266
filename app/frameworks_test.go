package app_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestFrameworks runs what people write, unchanged: testdata/frameworks/package.json
// has the versions, and `make testapps` fetches and builds them.
func TestFrameworks(t *testing.T) {
	root, err := filepath.Abs("testdata/frameworks")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(root, "sveltekit/.svelte-kit/cloudflare/_worker.js")); err != nil {
		t.Fatalf("%v: run make testapps first", err)
	}
	var toml strings.Builder
	toml.WriteString("-- nano.toml --\n[defaults]\nlimits = { cpu = \"2s\" }\n")
	for _, name := range []string{"hono", "itty", "preact", "react", "sveltekit"} {
		toml.WriteString("[apps." + name + "]\nhosts = [\"" + name + "\"]\nroot = \"" + filepath.Join(root, name) + "\"\n")
	}
	toml.WriteString("[apps.hono.env]\nGREETING = \"hello\"\n")
	h := start(t, toml.String())
	for _, tc := range []struct {
		app, method, target string
		header              http.Header
		body                string
		status              int
		want                string // the body, or a part of it that begins with …
		wantHeader          http.Header
	}{
		{app: "hono", target: "/?name=you", status: 200, want: "hello you"},
		{app: "hono", target: "/api/user/7", header: http.Header{"X-Agent": {"me"}}, status: 200, want: `{"id":"7","agent":"me"}`, wantHeader: http.Header{"Access-Control-Allow-Origin": {"*"}}},
		{app: "hono", target: "/cookie", header: http.Header{"Cookie": {"seen=4"}}, status: 204, wantHeader: http.Header{"Set-Cookie": {"seen=5; Path=/"}}},
		{app: "hono", method: "POST", target: "/form", header: http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}, body: "a=1&b=2", status: 200, want: `{"a":"1","b":"2"}`},
		{app: "hono", target: "/events", status: 200, want: "data: n 0\nid: 0\n\ndata: n 1\nid: 1\n\ndata: n 2\nid: 2\n\n"},
		{app: "hono", target: "/forbidden", status: 403, want: "no"},
		{app: "hono", target: "/none", status: 404, want: "nothing here"},
		{app: "itty", target: "/hello/you", status: 200, want: `"Hello, you!"`},
		{app: "itty", target: "/json", status: 200, want: `{"list":[1,2,3]}`},
		{app: "itty", method: "POST", target: "/echo", body: `{"a":[1]}`, status: 200, want: `{"a":[1]}`},
		{app: "itty", target: "/error", status: 400, want: `{"status":400,"error":"bad"}`},
		{app: "preact", target: "/?name=%3Cyou%3E", status: 200, want: `<!doctype html><html><body><h1>Hello, &lt;you></h1><button class="counter">3 clicks</button></body></html>`},
		{app: "react", target: "/path", status: 200, want: "…<h1>/path</h1>"},
		{app: "react", target: "/path", status: 200, want: "…<p>later</p>"},
		{app: "sveltekit", target: "/?name=you", status: 200, want: "…<h1>hi you</h1>"},
		{app: "sveltekit", target: "/api", status: 200, want: `{"path":"/api","inner":"hello from a route"}`},
		{app: "sveltekit", target: "/file.txt", status: 200, want: "a static file\n"},
		{app: "sveltekit", target: "/_worker.js", status: 404, want: "…"},
		{app: "sveltekit", method: "POST", target: "/", header: http.Header{"Content-Type": {"application/x-www-form-urlencoded"}, "Origin": {"http://sveltekit"}, "Accept": {"text/html"}}, body: "word=aloud", status: 200, want: "…<p>you said aloud</p>"},
		{app: "sveltekit", target: "/none", status: 404, want: "…Not Found"},
	} {
		t.Run(tc.app+" "+tc.target, func(t *testing.T) {
			method := tc.method
			if method == "" {
				method = "GET"
			}
			req := h.request(method, tc.app, tc.target, strings.NewReader(tc.body))
			for name, values := range tc.header {
				req.Header[name] = values
			}
			res, body := h.do(req)
			part, partly := strings.CutPrefix(tc.want, "…")
			if res.StatusCode != tc.status || partly && !strings.Contains(body, part) || !partly && body != tc.want {
				t.Errorf("got %d %q\nwant %d %q\n%s", res.StatusCode, body, tc.status, tc.want, h.log)
			}
			for name, want := range tc.wantHeader {
				if got := res.Header[name]; strings.Join(got, "|") != strings.Join(want, "|") {
					t.Errorf("%s: got %q, want %q", name, got, want)
				}
			}
		})
	}
}
