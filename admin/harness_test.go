package admin_test

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/nano-runtime/nano/admin"
	"github.com/nano-runtime/nano/app"
	"github.com/nano-runtime/nano/config"
	"github.com/nano-runtime/nano/control"
	"github.com/nano-runtime/nano/daemon"
	"github.com/nano-runtime/nano/internal/await"
	"github.com/nano-runtime/nano/journal"
)

// files are what a bench is made of when a test doesn't say otherwise.
const files = `
-- etc/nano.toml --
[server]
drain_timeout = "2s"
watch = false
[apps.one]
hosts = ["one.test"]
root = "../one"
-- one/index.js --
export default { fetch(r) { console.log("asked for " + r.url); return new Response("one") } }
-- two/index.js --
export default { fetch: (r, env) => new Response("two " + (env.N ?? "")) }
-- throws/index.js --
throw new Error("not today")
`

// bench is the whole of what the API is about, with nothing in the place of anything.
type bench struct {
	t        testing.TB
	dir      string
	c        *control.Controller
	set      *app.Set
	journal  *journal.Journal
	handler  http.Handler
	front    string // address of the public port
	log      *await.Log
	draining chan struct{}
}

func begin(t testing.TB, archive string) *bench {
	t.Helper()
	b := &bench{t: t, dir: t.TempDir(), log: new(await.Log), draining: make(chan struct{})}
	b.write(archive)
	if err := os.Mkdir(filepath.Join(b.dir, "state"), 0o700); err != nil {
		t.Fatal(err)
	}
	var err error
	if b.journal, err = journal.New(journal.Options{Mode: journal.JSON, Output: b.log}); err != nil {
		t.Fatal(err)
	}
	log := b.journal.Logger()
	b.c, err = control.Open(t.Context(), control.Options{
		Config: config.Options{Path: filepath.Join(b.dir, "etc/nano.toml"), StateDir: filepath.Join(b.dir, "state")}, Log: log,
	})
	if err != nil {
		t.Fatal(err)
	}
	if b.set, err = app.NewSet(app.Options{Log: log, Versions: b.c.Versions(), Asleep: b.c.Asleep(), Event: b.c.AppEvent}); err != nil {
		t.Fatal(err)
	}
	if err := b.c.Start(t.Context(), b.set); err != nil {
		t.Fatal(err)
	}
	b.c.Serving()
	front := daemon.NewFront(daemon.FrontOptions{Handler: b.set.Serve})
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b.front = ln.Addr().String()
	go front.Serve(ln)
	b.handler = admin.NewHandler(admin.Options{
		Control: b.c, Set: b.set, Journal: b.journal, Log: log, Reload: b.c.Reload,
		Version: "test", Draining: b.draining, Front: front.Stats,
	})
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_ = front.Drain(ctx, 0) // what tests leave open is cut off
		b.c.Close()
		_ = b.set.Close(ctx)
		_ = b.journal.Close()
	})
	return b
}

func (b *bench) write(archive string) {
	b.t.Helper()
	for _, f := range txtar.Parse([]byte(archive)).Files {
		path := filepath.Join(b.dir, f.Name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			b.t.Fatal(err)
		}
		if err := os.WriteFile(path, f.Data, 0o644); err != nil {
			b.t.Fatal(err)
		}
	}
}

// replace puts a new file in the place of another in one step, as one should.
func (b *bench) replace(name, text string) {
	b.t.Helper()
	path := filepath.Join(b.dir, name)
	if err := os.WriteFile(path+".tmp", []byte(text), 0o644); err != nil {
		b.t.Fatal(err)
	}
	if err := os.Rename(path+".tmp", path); err != nil {
		b.t.Fatal(err)
	}
}

// text is a body in which DIR stands for the bench's folder.
func (b *bench) text(s string) string { return strings.ReplaceAll(s, "DIR", b.dir) }

// send asks the handler, as a peer that the kernel knows.
func (b *bench) send(method, path, body string, header ...string) *httptest.ResponseRecorder {
	b.t.Helper()
	r := httptest.NewRequestWithContext(daemon.WithPeer(b.t.Context(), daemon.Peer{PID: 77, UID: 1234}), method, "http://localhost"+path, strings.NewReader(b.text(body)))
	for i := 0; i < len(header); i += 2 {
		if header[i] == "Host" {
			r.Host = header[i+1]
		}
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	b.handler.ServeHTTP(w, r)
	return w
}

// ok sends what must succeed and decodes the answer.
func ok[T any](b *bench, method, path, body string, header ...string) T {
	b.t.Helper()
	w := b.send(method, path, body, header...)
	var v T
	if w.Code >= 300 {
		b.t.Fatalf("%s %s: %d %s", method, path, w.Code, w.Body)
	}
	if err := json.Unmarshal(w.Body.Bytes(), &v); err != nil {
		b.t.Fatal(err)
	}
	return v
}

// socket serves the API on a unix socket, as the daemon does.
func (b *bench) socket() string {
	b.t.Helper()
	// The path of a socket may not be long.
	dir, err := os.MkdirTemp("", "nano")
	if err != nil {
		b.t.Fatal(err)
	}
	path := filepath.Join(dir, "s")
	ln, err := net.Listen("unix", path)
	if err != nil {
		b.t.Fatal(err)
	}
	front := daemon.NewFront(daemon.FrontOptions{Handler: func(x *daemon.Exchange) { b.handler.ServeHTTP(x.HTTP()) }, Log: slog.New(slog.DiscardHandler)})
	go front.Serve(ln)
	b.t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_ = front.Drain(ctx, 0)
		_ = os.RemoveAll(dir)
	})
	return path
}

// public asks the app with a host: its status and body.
func (b *bench) public(host, path string) (int, string) {
	b.t.Helper()
	r, err := http.NewRequestWithContext(b.t.Context(), "GET", "http://"+b.front+path, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	r.Host = host
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return res.StatusCode, string(body)
}
