package app_test

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/nano-runtime/nano/app"
	"github.com/nano-runtime/nano/config"
	"github.com/nano-runtime/nano/daemon"
	"github.com/nano-runtime/nano/internal/await"
)

// host is a set of apps behind a real front end on a loopback port.
type host struct {
	t    testing.TB
	dir  string
	set  *app.Set
	addr string
	log  *await.Log
}

// start writes the files of an archive, among them nano.toml, and serves them.
func start(t testing.TB, archive string) *host {
	t.Helper()
	h := newHost(t, archive)
	if failed := h.apply().Failed; len(failed) > 0 {
		t.Fatalf("apps that failed: %v", failed)
	}
	return h
}

func newHost(t testing.TB, archive string) *host {
	t.Helper()
	log := new(await.Log)
	h := newHostWith(t, archive, app.Options{Log: slog.New(slog.NewTextHandler(log, nil))})
	h.log = log
	return h
}

func newHostWith(t testing.TB, archive string, opts app.Options) *host {
	t.Helper()
	h := &host{t: t, dir: t.TempDir()}
	h.write(archive)
	set, err := app.NewSet(opts)
	if err != nil {
		t.Fatal(err)
	}
	h.set = set
	front := daemon.NewFront(daemon.FrontOptions{Handler: set.Serve, Log: slog.New(slog.DiscardHandler)})
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h.addr = ln.Addr().String()
	served := make(chan error, 1)
	go func() { served <- front.Serve(ln) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), await.Deadline)
		defer cancel()
		if err := front.Drain(ctx, 0); err != nil {
			t.Error(err)
		}
		if err := set.Close(ctx); err != nil {
			t.Error(err)
		}
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return h
}

// write puts the files of an archive into the host's folder.
func (h *host) write(archive string) {
	h.t.Helper()
	for _, f := range txtar.Parse([]byte(archive)).Files {
		path := filepath.Join(h.dir, f.Name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			h.t.Fatal(err)
		}
		if err := os.WriteFile(path, f.Data, 0o644); err != nil {
			h.t.Fatal(err)
		}
	}
}

// apply loads nano.toml and makes the set what it says.
func (h *host) apply(force ...string) *app.Change {
	h.t.Helper()
	cfg, err := config.Load(config.Options{Path: filepath.Join(h.dir, "nano.toml")})
	if cfg == nil {
		h.t.Fatal(err)
	}
	return h.set.Apply(context.Background(), cfg, "test", force...)
}

// request is one request to an app of the host, by the app's host name.
func (h *host) request(method, host, target string, body io.Reader) *http.Request {
	h.t.Helper()
	req, err := http.NewRequest(method, "http://"+h.addr+target, body)
	if err != nil {
		h.t.Fatal(err)
	}
	req.Host = host
	return req
}

// client follows no redirects and undoes no compression: what comes is what was sent.
var client = &http.Client{
	Transport:     &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 64},
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	Timeout:       await.Deadline,
}

// do sends a request and reads the whole answer.
func (h *host) do(req *http.Request) (*http.Response, string) {
	h.t.Helper()
	res, err := client.Do(req)
	if err != nil {
		h.t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		h.t.Fatalf("the body broke off after %q: %v", b, err)
	}
	return res, string(b)
}

func (h *host) get(host, target string) (int, string) {
	h.t.Helper()
	res, body := h.do(h.request("GET", host, target, nil))
	return res.StatusCode, body
}

// one is the archive of a single app, named test, for the host "test".
func one(settings, code string) string {
	return "-- nano.toml --\n[apps.test]\nhosts = [\"test\"]\nroot = \"test\"\n" + settings + "\n-- test/index.js --\n" + code + "\n"
}
