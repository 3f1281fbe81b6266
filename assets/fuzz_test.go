package assets

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
)

// No request reads anything that isn't in the folder or is hidden there.
func FuzzServe(f *testing.F) {
	dir := f.TempDir()
	public := filepath.Join(dir, "public")
	tree(f, dir, map[string]string{
		"secret.txt": "SECRET", "secret/index.html": "SECRET", "publicsecret/index.html": "SECRET", "index.html": "SECRET",
		"public/index.html": "PUBLIC", "public/a/index.html": "PUBLIC", "public/a/b.txt": "PUBLIC", "public/.env": "SECRET",
		"public/.well-known/x": "PUBLIC", "public/.well-known/.x": "SECRET", "public/a/.git/config": "SECRET",
		"public/out": "-> ../secret", "public/out.txt": "-> ../secret.txt", "public/a/up": "-> ../..", "public/in": "-> a",
		"public/abs": "-> /etc", "public/_worker.js/index.js": "SECRET", "public/b\\c": "SECRET",
	})
	s, err := New(public, Options{NotFound: NotFoundPage})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { s.Close() })
	for _, seed := range []string{
		"/", "/a", "/in/b.txt", "/out/", "/a/up/secret.txt", "/..%2fsecret.txt", "/a/%2e%2e/.env", "/.well-known/x", "/_worker.js/index.js",
		"//a/", "/%00", "/%c0%ae%c0%ae/secret.txt", "/a/..;/secret.txt", "/b%5cc", "/abs/passwd", "/.well-known/../.env", "/a\x00b", "/?/../secret.txt",
	} {
		f.Add(seed, "br, gzip;q=0", "bytes=0-")
	}
	f.Fuzz(func(t *testing.T, target, accept, rng string) {
		u, err := url.ParseRequestURI(target)
		if err != nil {
			return
		}
		for _, r := range []*http.Request{
			{Method: "GET", URL: u},
			// A path that never went through the parser.
			{Method: "GET", URL: &url.URL{Path: target, RawPath: accept}},
		} {
			r.Header = http.Header{"Accept-Encoding": {accept}, "Range": {rng}}
			w := httptest.NewRecorder()
			if !s.Serve(w, r) {
				if w.Body.Len() > 0 || w.Result().StatusCode != 200 || len(w.Header()) > 0 {
					t.Fatalf("%q: not served, and yet there is an answer: %v", target, w)
				}
				s.ServeNotFound(w, r)
			}
			body := w.Body.String()
			if strings.Contains(body, "SECRET") || strings.Contains(body, "root:") {
				t.Fatalf("%q reads %q", target, body)
			}
			if l := w.Header().Get("Location"); l != "" && (l[0] != '/' || strings.HasPrefix(l, "//") || strings.HasPrefix(l, "/\\")) {
				t.Fatalf("%q leads to %q", target, l)
			}
		}
	})
}

func BenchmarkServe(b *testing.B) {
	dir := b.TempDir()
	tree(b, dir, map[string]string{"a.js": strings.Repeat("x", 10<<10), "deep/er/a.js": strings.Repeat("x", 10<<10)})
	s, err := New(dir, Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	for _, target := range []string{"/a.js", "/deep/er/a.js", "/missing"} {
		b.Run(strings.ReplaceAll(target[1:], "/", "|"), func(b *testing.B) {
			r := httptest.NewRequest("GET", target, nil)
			r.Header.Set("Accept-Encoding", "gzip, br")
			b.ReportAllocs()
			for b.Loop() {
				s.Serve(discard{}, r)
			}
		})
	}
}

// discard is a client that reads everything at once.
type discard struct{}

func (discard) Header() http.Header                       { return make(http.Header, 8) }
func (discard) WriteHeader(int)                           {}
func (discard) Write(p []byte) (int, error)               { return len(p), nil }
func (discard) ReadFrom(r io.Reader) (n int64, err error) { return 0, nil }
