package assets

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/google/go-cmp/cmp"
)

// tree writes files into dir; a name that ends in a slash is a folder, a
// content that starts with "-> " makes a symlink.
func tree(t testing.TB, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		path := filepath.Join(dir, name)
		parent := filepath.Dir(path)
		if strings.HasSuffix(name, "/") {
			parent = path
		}
		if err := os.MkdirAll(parent, 0o755); err != nil {
			t.Fatal(err)
		}
		var err error
		switch target, isLink := strings.CutPrefix(text, "-> "); {
		case parent == path:
		case isLink:
			err = os.Symlink(target, path)
		default:
			err = os.WriteFile(path, []byte(text), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// site serves files in a folder that has a secret beside it. What no file
// matches is answered with 599 by the "app".
func site(t testing.TB, o Options, files map[string]string) (*httptest.Server, string) {
	t.Helper()
	dir := t.TempDir()
	public := filepath.Join(dir, "public")
	tree(t, public, files)
	tree(t, dir, map[string]string{"public/": "", "secret.txt": "SECRET", "secret/index.html": "SECRET", "public-not/a.txt": "SECRET"})
	s, err := New(public, o)
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == "GET" {
			checkQuick(t, s, r)
		}
		switch {
		case s.Serve(w, r):
		case o.NotFound != "":
			s.ServeNotFound(w, r)
		default:
			w.WriteHeader(599)
		}
	}))
	t.Cleanup(func() {
		srv.Close()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return srv, public
}

// checkQuick makes sure that Quick, where it knows, says what Serve does.
func checkQuick(t testing.TB, s *Server, r *http.Request) {
	found, header, body := s.Quick(r.RequestURI, func(yield func(name, value string) bool) {
		for name, values := range r.Header {
			for _, v := range values {
				if !yield(strings.ToLower(name), v) {
					return
				}
			}
		}
	})
	w := httptest.NewRecorder()
	served := s.Serve(w, r)
	switch found {
	case Absent:
		if served {
			t.Errorf("%s: Quick says that no file matches; Serve: %d %q", r.RequestURI, w.Code, w.Body)
		}
	case Found:
		got := http.Header{"Content-Length": {strconv.Itoa(len(body))}}
		for rest := string(header); rest != ""; {
			var name, value string
			name, rest, _ = strings.Cut(rest, "\n")
			value, rest, _ = strings.Cut(rest, "\n")
			got.Add(name, value)
		}
		if diff := cmp.Diff(w.Header(), got); diff != "" || w.Code != 200 || w.Body.String() != string(body) {
			t.Errorf("%s: Quick answers with %q, Serve with %d %q; headers (-Serve +Quick):\n%s", r.RequestURI, body, w.Code, w.Body, diff)
		}
	}
}

type answer struct {
	status int
	header http.Header
	body   string
}

// ask sends a request target as it is written, with headers as "Name: value".
func ask(t testing.TB, srv *httptest.Server, method, target string, headers ...string) answer {
	t.Helper()
	u, err := url.ParseRequestURI(target)
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), method, srv.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.URL.Path, req.URL.RawPath, req.URL.RawQuery = u.Path, u.RawPath, u.RawQuery
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		req.Header.Add(name, value)
	}
	resp, err := (&http.Transport{DisableCompression: true, DisableKeepAlives: true}).RoundTrip(req)
	if err != nil {
		t.Fatalf("%s %s: %v", method, target, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("%s %s: %v", method, target, err)
	}
	return answer{resp.StatusCode, resp.Header, string(body)}
}

func TestServe(t *testing.T) {
	srv, public := site(t, Options{}, map[string]string{
		"index.html":              "top",
		"hello.txt":               "hello",
		"über uns.html":           "about us",
		"docs/index.html":         "docs",
		"docs/page.html":          "page",
		"docs.html":               "beside the folder",
		"empty/":                  "",
		"about.html":              "about",
		"v1.2.html":               "version",
		"archive":                 "no extension",
		"a+b &c.txt":              "odd name",
		"%2f.txt":                 "percent",
		".env":                    "SECRET",
		".git/config":             "SECRET",
		"docs/.hidden":            "SECRET",
		".well-known/security":    "contact",
		".well-known/.secret":     "SECRET",
		"docs/.well-known/x":      "SECRET",
		"_worker.js":              "SECRET",
		"_worker.js2":             "public",
		"_headers":                "SECRET",
		"docs/_headers":           "public",
		"out.txt":                 "-> ../secret.txt",
		"outdir":                  "-> ../secret",
		"absolute.txt":            "-> /etc/hostname",
		"loop":                    "-> loop",
		"in.txt":                  "-> docs/page.html",
		"deep/down/link.txt":      "-> ../../hello.txt",
		"deep/down/sly.txt":       "-> ../../../secret.txt",
		"UPPER.TXT":               "upper",
		"folder.html/index.html":  "folder called html",
		"unknown.zzz":             "?",
		"back\\slash.txt":         "backslash",
		"control\x01.txt":         "control",
		"dots..txt":               "dots",
		"empty.txt":               "",
		"nested/only/deep/x.html": "x",
	})
	if err := syscall.Mkfifo(filepath.Join(public, "fifo"), 0o644); err != nil {
		t.Fatal(err)
	}
	sock, err := net.Listen("unix", filepath.Join(public, "sock"))
	if err != nil {
		t.Fatal(err)
	}
	defer sock.Close()

	const app = 599
	tests := []struct {
		target string
		status int
		body   string // of a redirect: its location
	}{
		{"/", 200, "top"},
		{"/?q=1", 200, "top"},
		{"/index.html", 200, "top"},
		{"/index", 200, "top"},
		{"/hello.txt", 200, "hello"},
		{"/hello%2Etxt", 200, "hello"},
		{"/%C3%BCber%20uns.html", 200, "about us"},
		{"/%c3%bcber%20uns", 200, "about us"},
		{"/docs/", 200, "docs"},
		{"/docs", 307, "/docs/"},
		{"/docs?a=b&c=%2f", 307, "/docs/?a=b&c=%2f"},
		{"/docs/page.html", 200, "page"},
		{"/docs/page", 200, "page"},
		{"/about", 200, "about"},
		{"/about/", app, ""},
		{"/v1.2", 200, "version"},
		{"/archive", 200, "no extension"},
		{"/a+b%20&c.txt", 200, "odd name"},
		{"/%252f.txt", 200, "percent"},
		{"/.well-known/security", 200, "contact"},
		{"/_worker.js2", 200, "public"},
		{"/docs/_headers", 200, "public"},
		{"/in.txt", 200, "page"},
		{"/deep/down/link.txt", 200, "hello"},
		{"/UPPER.TXT", 200, "upper"},
		{"/upper.txt", app, ""},
		{"/folder.html", 307, "/folder.html/"},
		{"/folder", app, ""},
		{"/unknown.zzz", 200, "?"},
		{"/dots..txt", 200, "dots"},
		{"/empty.txt", 200, ""},

		{"/empty", app, ""},
		{"/empty/", app, ""},
		{"/nested/only", app, ""},
		{"/missing", app, ""},
		{"/hello.txt/", app, ""},
		{"/hello.txt/x", app, ""},
		{"/.env", app, ""},
		{"/.git/config", app, ""},
		{"/%2egit/config", app, ""},
		{"/docs/.hidden", app, ""},
		{"/.well-known/.secret", app, ""},
		{"/docs/.well-known/x", app, ""},
		{"/_worker.js", app, ""},
		{"/_headers", app, ""},
		{"/out.txt", app, ""},
		{"/outdir/", app, ""},
		{"/outdir", app, ""},
		{"/absolute.txt", app, ""},
		{"/deep/down/sly.txt", app, ""},
		{"/loop", app, ""},
		{"/fifo", app, ""},
		{"/sock", app, ""},
		{"/../secret.txt", app, ""},
		{"/docs/../hello.txt", app, ""},
		{"/%2e%2e/secret.txt", app, ""},
		{"/..%2fsecret.txt", app, ""},
		{"/..%5csecret.txt", app, ""},
		{"/docs%2fpage.html", app, ""},
		{"/docs%2Fpage.html", app, ""},
		{"/docs%5Cpage.html", app, ""},
		{"/back%5cslash.txt", app, ""},
		{"/control%01.txt", app, ""},
		{"/hello.txt%00", app, ""},
		{"/%00", app, ""},
		{"//hello.txt", app, ""},
		{"//docs", app, ""},
		{"/docs//page.html", app, ""},
		{"/docs//", app, ""},
		{"/./hello.txt", app, ""},
		{"/../public-not/a.txt", app, ""},
		{"/" + strings.Repeat("a", 300), app, ""},
		{"/" + strings.Repeat("a/", 2000), app, ""},
	}
	for _, tt := range tests {
		t.Run(strings.ReplaceAll(tt.target[:min(len(tt.target), 30)], "/", "|"), func(t *testing.T) {
			for _, method := range []string{"GET", "HEAD"} {
				got := ask(t, srv, method, tt.target)
				if got.status == http.StatusTemporaryRedirect {
					got.body = got.header.Get("Location")
				} else if method == "HEAD" {
					if got.body != "" {
						t.Errorf("HEAD has the body %q", got.body)
					}
					got.body = tt.body
				}
				if got.status != tt.status || got.body != tt.body {
					t.Errorf("%s: got %d %q, want %d %q", method, got.status, got.body, tt.status, tt.body)
				}
			}
			if got := ask(t, srv, "POST", tt.target); got.status != app {
				t.Errorf("POST: got %d, want the app's answer", got.status)
			}
		})
	}
}

func TestHeaders(t *testing.T) {
	srv, _ := site(t, Options{}, map[string]string{
		"a.js": "let a", "a.mjs": "let a", "a.css": "p{}", "a.html": "<p>", "a.json": "{}", "a.svg": "<svg/>", "a.wasm": "\x00asm",
		"a.png": "png", "a.woff2": "w", "a.webmanifest": "{}", "a.JPG": "j", "a.txt": "t", "a.bin": "b", "noext": "n",
	})
	tests := []struct{ name, mime, vary string }{
		{"a.js", "text/javascript; charset=utf-8", "Accept-Encoding"},
		{"a.mjs", "text/javascript; charset=utf-8", "Accept-Encoding"},
		{"a.css", "text/css; charset=utf-8", "Accept-Encoding"},
		{"a.html", "text/html; charset=utf-8", "Accept-Encoding"},
		{"a.json", "application/json", "Accept-Encoding"},
		{"a.svg", "image/svg+xml; charset=utf-8", "Accept-Encoding"},
		{"a.wasm", "application/wasm", "Accept-Encoding"},
		{"a.webmanifest", "application/manifest+json", "Accept-Encoding"},
		{"a.txt", "text/plain; charset=utf-8", "Accept-Encoding"},
		{"a.png", "image/png", ""},
		{"a.JPG", "image/jpeg", ""},
		{"a.woff2", "font/woff2", ""},
		{"a.bin", "application/octet-stream", ""},
		{"noext", "application/octet-stream", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := ask(t, srv, "HEAD", "/"+tt.name).header
			if got.Get("Content-Type") != tt.mime || got.Get("Vary") != tt.vary {
				t.Errorf("got Content-Type %q, Vary %q, want %q, %q", got.Get("Content-Type"), got.Get("Vary"), tt.mime, tt.vary)
			}
			for _, name := range []string{"Content-Length", "Last-Modified", "Etag", "Accept-Ranges", "Cache-Control"} {
				if got.Get(name) == "" {
					t.Errorf("there is no %s", name)
				}
			}
		})
	}
}

func TestConditionsAndRanges(t *testing.T) {
	srv, public := site(t, Options{}, map[string]string{"a.txt": "0123456789"})
	old := time.Now().Add(-time.Hour)
	if err := os.Chtimes(filepath.Join(public, "a.txt"), old, old); err != nil {
		t.Fatal(err)
	}
	plain := ask(t, srv, "GET", "/a.txt")
	etag, modified := plain.header.Get("Etag"), plain.header.Get("Last-Modified")
	tests := []struct {
		name, header string
		status       int
		body, rng    string
	}{
		{"same tag", "If-None-Match: " + etag, 304, "", ""},
		{"strong form of the tag", "If-None-Match: " + strings.TrimPrefix(etag, "W/"), 304, "", ""},
		{"one of several", `If-None-Match: "x", ` + etag, 304, "", ""},
		{"any tag", "If-None-Match: *", 304, "", ""},
		{"other tag", `If-None-Match: "x"`, 200, "0123456789", ""},
		{"same date", "If-Modified-Since: " + modified, 304, "", ""},
		{"earlier date", "If-Modified-Since: Thu, 01 Jan 2015 00:00:00 GMT", 200, "0123456789", ""},
		{"failed precondition", `If-Match: "x"`, 412, "", ""},
		{"start", "Range: bytes=0-3", 206, "0123", "bytes 0-3/10"},
		{"end", "Range: bytes=-2", 206, "89", "bytes 8-9/10"},
		{"open end", "Range: bytes=8-", 206, "89", "bytes 8-9/10"},
		{"too far", "Range: bytes=10-", 416, "invalid range: failed to overlap\n", "bytes */10"},
		{"not bytes", "Range: lines=1-2", 416, "invalid range\n", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := ask(t, srv, "GET", "/a.txt", tt.header)
			if got.status != tt.status || got.body != tt.body || got.header.Get("Content-Range") != tt.rng {
				t.Errorf("got %d %q %q, want %d %q %q", got.status, got.body, got.header.Get("Content-Range"), tt.status, tt.body, tt.rng)
			}
		})
	}
	got := ask(t, srv, "GET", "/a.txt", "Range: bytes=0-0,5-6")
	if got.status != 206 || !strings.Contains(got.body, "\r\n\r\n56\r\n") {
		t.Errorf("two ranges: got %d %q", got.status, got.body)
	}
	got = ask(t, srv, "GET", "/a.txt", "Range: bytes=0-0", "If-Range: "+modified)
	if got.status != 206 {
		t.Errorf("If-Range with the date: got %d", got.status)
	}
	got = ask(t, srv, "GET", "/a.txt", "Range: bytes=0-0", `If-Range: "x"`)
	if got.status != 200 {
		t.Errorf("If-Range with another tag: got %d", got.status)
	}

	// The same size, and a tool that resets the time: it is another version.
	if err := os.WriteFile(filepath.Join(public, "a.txt"), []byte("abcdefghij"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(filepath.Join(public, "a.txt"), old, old); err != nil {
		t.Fatal(err)
	}
	if got := ask(t, srv, "GET", "/a.txt", "If-None-Match: "+etag); got.status != 200 || got.body != "abcdefghij" {
		t.Errorf("after a change: got %d %q", got.status, got.body)
	}
}

func TestEtagIsWeakWhileTheFileIsNew(t *testing.T) {
	changed := time.Unix(1700000000, 1)
	f := &file{stat: unix.Stat_t{Ctim: unix.NsecToTimespec(changed.UnixNano())}}
	fresh, later := f.etag(changed.Add(time.Millisecond)), f.etag(changed.Add(time.Minute))
	if !strings.HasPrefix(fresh, `W/"`) || strings.TrimPrefix(fresh, "W/") != later {
		t.Errorf("a fresh file has the tag %s, and later %s", fresh, later)
	}
}

func TestCompressed(t *testing.T) {
	srv, public := site(t, Options{}, map[string]string{
		"both.js": "plain", "both.js.br": "BROTLI", "both.js.gz": "GZ",
		"gz.css": "plain", "gz.css.gz": "GZIPPED",
		"stale.js": "plain", "stale.js.br": "STALE",
		"photo.png": "plain", "photo.png.br": "BROTLI",
		"index.html": "plain", "index.html.br": "BROTLI",
		"out.js": "plain", "out.js.br": "-> ../secret.txt",
		"dir.js": "plain", "dir.js.br/": "",
	})
	later := time.Now().Add(time.Hour)
	if err := os.Chtimes(filepath.Join(public, "stale.js"), later, later); err != nil {
		t.Fatal(err)
	}
	tests := []struct{ target, accept, coding, body string }{
		{"/both.js", "gzip, deflate, br, zstd", "br", "BROTLI"},
		{"/both.js", "gzip", "gzip", "GZ"},
		{"/both.js", "GZIP;q=0.5", "gzip", "GZ"},
		{"/both.js", "x-gzip", "gzip", "GZ"},
		{"/both.js", "br;q=0, gzip", "gzip", "GZ"},
		{"/both.js", "br ; q=0.000,gzip ; q=0.001", "gzip", "GZ"},
		{"/both.js", "*", "br", "BROTLI"},
		{"/both.js", "*;q=0", "", "plain"},
		{"/both.js", "*, br;q=0, gzip;q=0", "", "plain"},
		{"/both.js", "deflate", "", "plain"},
		{"/both.js", "", "", "plain"},
		{"/gz.css", "br, gzip", "gzip", "GZIPPED"},
		{"/stale.js", "br", "", "plain"},
		{"/photo.png", "br", "", "plain"},
		{"/", "br", "br", "BROTLI"},
		{"/out.js", "br", "", "plain"},
		{"/dir.js", "br", "", "plain"},
		{"/both.js.gz", "gzip", "", "GZ"},
	}
	for _, tt := range tests {
		t.Run(tt.target+" "+tt.accept, func(t *testing.T) {
			var headers []string
			if tt.accept != "" {
				headers = []string{"Accept-Encoding: " + tt.accept}
			}
			got := ask(t, srv, "GET", tt.target, headers...)
			if got.status != 200 || got.body != tt.body || got.header.Get("Content-Encoding") != tt.coding {
				t.Errorf("got %d %q in %q, want %q in %q", got.status, got.body, got.header.Get("Content-Encoding"), tt.body, tt.coding)
			}
			if got.header.Get("Content-Length") == "" {
				t.Error("there is no Content-Length")
			}
		})
	}

	plain, br := ask(t, srv, "GET", "/both.js"), ask(t, srv, "GET", "/both.js", "Accept-Encoding: br")
	if br.header.Get("Content-Type") != plain.header.Get("Content-Type") || br.header.Get("Vary") != "Accept-Encoding" {
		t.Errorf("the compressed answer has the headers %v", br.header)
	}
	if br.header.Get("Etag") == plain.header.Get("Etag") {
		t.Error("the compressed form has the tag of the plain one")
	}
	for _, tt := range []struct {
		header string
		status int
		body   string
	}{
		{"If-None-Match: " + br.header.Get("Etag"), 304, ""},
		{"If-None-Match: " + plain.header.Get("Etag"), 200, "BROTLI"},
		{`If-Match: "x"`, 412, ""},
		{"Range: bytes=0-1", 206, "BR"},
		{"Range: bytes=99-", 416, "invalid range: failed to overlap\n"},
	} {
		got := ask(t, srv, "GET", "/both.js", "Accept-Encoding: br", tt.header)
		if got.status != tt.status || got.body != tt.body {
			t.Errorf("br with %s: got %d %q, want %d %q", tt.header, got.status, got.body, tt.status, tt.body)
		}
	}
}

func TestNotFound(t *testing.T) {
	files := map[string]string{
		"index.html": "top", "404.html": "no such page", "docs/404.html": "no such doc", "docs/deep/x.html": "x",
	}
	tests := []struct {
		handling, method, target string
		status                   int
		body                     string
	}{
		{NotFoundNone, "GET", "/missing", 404, "not found\n"},
		{NotFoundNone, "POST", "/missing", 405, "method not allowed\n"},
		{NotFoundPage, "GET", "/missing", 404, "no such page"},
		{NotFoundPage, "GET", "/missing/", 404, "no such page"},
		{NotFoundPage, "HEAD", "/missing", 404, ""},
		{NotFoundPage, "GET", "/docs/missing", 404, "no such doc"},
		{NotFoundPage, "GET", "/docs/", 404, "no such doc"},
		{NotFoundPage, "GET", "/docs", 404, "no such page"},
		{NotFoundPage, "GET", "/docs/deep/missing", 404, "no such doc"},
		{NotFoundPage, "GET", "/docs/none/missing", 404, "no such doc"},
		{NotFoundPage, "GET", "/a/b/c/d", 404, "no such page"},
		{NotFoundPage, "GET", "/../secret", 404, "no such page"},
		{NotFoundPage, "GET", "/docs/%2e%2e/%2e%2e/x", 404, "no such page"},
		{NotFoundPage, "GET", "/%00", 404, "no such page"},
		{NotFoundApp, "GET", "/route/in/the/page", 200, "top"},
		{NotFoundApp, "HEAD", "/route", 200, ""},
		{NotFoundApp, "GET", "/../x", 200, "top"},
		{NotFoundApp, "DELETE", "/route", 405, "method not allowed\n"},
	}
	for _, tt := range tests {
		t.Run(tt.handling+" "+tt.method+" "+tt.target, func(t *testing.T) {
			srv, _ := site(t, Options{NotFound: tt.handling}, files)
			got := ask(t, srv, tt.method, tt.target)
			if got.status != tt.status || got.body != tt.body {
				t.Errorf("got %d %q, want %d %q", got.status, got.body, tt.status, tt.body)
			}
		})
	}
	for _, handling := range []string{NotFoundPage, NotFoundApp} {
		srv, _ := site(t, Options{NotFound: handling}, nil)
		if got := ask(t, srv, "GET", "/x"); got.status != 404 || got.body != "not found\n" {
			t.Errorf("%s in an empty folder: got %d %q", handling, got.status, got.body)
		}
	}
	if _, err := New(t.TempDir(), Options{NotFound: "spa"}); err == nil {
		t.Error("an unknown handling was taken")
	}
	if _, err := New(filepath.Join(t.TempDir(), "missing"), Options{}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing folder: got %v", err)
	}
}

func openFiles(t testing.TB) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

func TestNoDescriptorLeaks(t *testing.T) {
	dir := t.TempDir()
	tree(t, dir, map[string]string{
		"index.html": "top", "a.js": "a", "a.js.br": "b", "stale.js": "a", "stale.js.gz": "b", "dir/index.html": "d", "empty/": "", "404.html": "no",
	})
	if err := errors.Join(syscall.Mkfifo(filepath.Join(dir, "fifo"), 0o644), os.Chtimes(filepath.Join(dir, "stale.js.gz"), time.Unix(1, 0), time.Unix(1, 0))); err != nil {
		t.Fatal(err)
	}
	s, err := New(dir, Options{NotFound: NotFoundPage})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	before := openFiles(t)
	for range 20 {
		for _, target := range []string{"/", "/a.js", "/stale.js", "/dir", "/dir/", "/empty", "/fifo", "/missing", "/a.js/"} {
			for _, rng := range []string{"", "bytes=0-0", "bytes=9-"} {
				r := httptest.NewRequest("GET", target, nil)
				r.Header.Set("Accept-Encoding", "br, gzip")
				r.Header.Set("Range", rng)
				w := httptest.NewRecorder()
				if !s.Serve(w, r) {
					s.ServeNotFound(w, r)
				}
			}
		}
	}
	if after := openFiles(t); after > before {
		t.Errorf("%d files are open, before there were %d", after, before)
	}
}

func TestLargeFile(t *testing.T) {
	want := bytes.Repeat([]byte("0123456789abcdef"), 1<<18) // 4 MiB, through sendfile
	srv, _ := site(t, Options{}, map[string]string{"large.bin": string(want)})
	got := ask(t, srv, "GET", "/large.bin")
	if got.status != 200 || got.body != string(want) {
		t.Errorf("got %d and %d bytes", got.status, len(got.body))
	}
	got = ask(t, srv, "GET", "/large.bin", "Range: bytes=4194300-")
	if got.status != 206 || got.body != "cdef" {
		t.Errorf("got %d %q", got.status, got.body)
	}
}
