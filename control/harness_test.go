package control_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/nano-runtime/nano/app"
	"github.com/nano-runtime/nano/config"
	"github.com/nano-runtime/nano/control"
	"github.com/nano-runtime/nano/daemon"
	"github.com/nano-runtime/nano/internal/await"
)

// world is a controller with its apps behind a front end on a loopback port.
type world struct {
	t    testing.TB
	dir  string
	set  *app.Set
	c    *control.Controller
	addr string
	log  *await.Log
	// events are those of the process, from before its start.
	events *control.Subscription
	// later has the first process leave apps for later.
	later bool
}

// files are what a world is made of when a test doesn't say otherwise.
const files = `
-- etc/nano.toml --
[server]
drain_timeout = "1s"
watch = false
[apps.one]
hosts = ["one.test"]
root = "../one"
[apps.two]
hosts = ["two.test"]
root = "../two"
-- one/index.js --
export default { fetch: () => new Response("one 1") }
-- two/index.js --
export default { fetch: () => new Response("two 1") }
-- three/index.js --
export default { fetch: (r, env) => new Response("three " + (env.N ?? "")) }
-- broken/index.js --
export default {
-- throws/index.js --
throw new Error("not today")
`

// begin serves the files of an archive.
func begin(t testing.TB, archive string) *world {
	t.Helper()
	w := &world{t: t, dir: t.TempDir(), log: new(await.Log)}
	w.write(archive)
	w.open(false)
	w.c.Serving()
	return w
}

// again is another process on the same files.
func (w *world) again(successor bool) *world {
	w.t.Helper()
	n := &world{t: w.t, dir: w.dir, log: new(await.Log), later: w.later}
	n.open(successor)
	return n
}

func (w *world) options(successor bool) control.Options {
	return control.Options{
		Config: config.Options{Path: filepath.Join(w.dir, "etc/nano.toml"), StateDir: filepath.Join(w.dir, "state")},
		Log:    slog.New(slog.NewTextHandler(w.log, nil)), Successor: successor, Later: w.later,
	}
}

func (w *world) open(successor bool) {
	w.t.Helper()
	if err := w.tryOpen(successor); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) tryOpen(successor bool) error {
	if err := os.MkdirAll(filepath.Join(w.dir, "state"), 0o700); err != nil {
		return err
	}
	o := w.options(successor)
	ctx, cancel := context.WithTimeout(w.t.Context(), await.Deadline)
	defer cancel()
	c, err := control.Open(ctx, o)
	if err != nil {
		return err
	}
	w.events = c.Subscribe() // before the start, which tells of apps at once
	set, err := app.NewSet(app.Options{
		Log: o.Log, Versions: c.Versions(), Asleep: c.Asleep(), Cache: filepath.Join(w.dir, "cache"), Event: c.AppEvent, Tried: c.AppTried,
		Quarantines: c.Quarantines(),
	})
	if err != nil {
		return err
	}
	w.c, w.set = c, set
	w.t.Cleanup(func() {
		c.Close()
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_ = set.Close(ctx) // streams that tests left open are cut off
	})
	if err := c.Start(ctx, set); err != nil {
		return err
	}
	front := daemon.NewFront(daemon.FrontOptions{Handler: set.Serve})
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	w.addr = ln.Addr().String()
	go front.Serve(ln)
	w.t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		_ = front.Drain(ctx, 0)
	})
	return nil
}

func (w *world) write(archive string) {
	w.t.Helper()
	for _, f := range txtar.Parse([]byte(archive)).Files {
		path := filepath.Join(w.dir, f.Name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			w.t.Fatal(err)
		}
		if err := os.WriteFile(path, f.Data, 0o644); err != nil {
			w.t.Fatal(err)
		}
	}
}

// get is the answer of the app with a host: its status and body.
func (w *world) get(host string) string {
	w.t.Helper()
	r, err := http.NewRequestWithContext(w.t.Context(), "GET", "http://"+w.addr+"/", nil)
	if err != nil {
		w.t.Fatal(err)
	}
	r.Host = host
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		return err.Error()
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return err.Error()
	}
	return fmt.Sprintf("%d %s", res.StatusCode, strings.TrimSpace(string(body)))
}

func (w *world) want(host, answer string) {
	w.t.Helper()
	if got := w.get(host); got != answer {
		w.t.Errorf("%s: got %q, want %q", host, got, answer)
	}
}

// await waits until something is so, and is asked again after each event and now and
// then.
func (w *world) await(what string, is func() bool) {
	w.t.Helper()
	sub := w.c.Subscribe()
	defer sub.Close()
	end := time.After(await.Deadline)
	for !is() {
		select {
		case <-sub.C:
		case <-time.After(20 * time.Millisecond):
		case <-end:
			w.t.Fatalf("waited in vain: %s\n%s", what, w.log)
		}
	}
}

// draft is an app of JSON.
func draft(t testing.TB, name, body string, args ...any) *config.Draft {
	t.Helper()
	d, err := config.DecodeApp(name, fmt.Appendf(nil, body, args...))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// three is an app of the archive, with a number in its environment.
func (w *world) three(name string, n int) *config.Draft {
	return draft(w.t, name, `{"hosts": ["%s.test"], "root": %q, "env": {"N": %d}}`, name, filepath.Join(w.dir, "three"), n)
}

func (w *world) put(d *config.Draft) *control.Outcome {
	w.t.Helper()
	o, err := w.c.Put(w.t.Context(), d, control.Expect{}, "test")
	if err != nil {
		w.t.Fatal(err)
	}
	return o
}

func (w *world) info(name string) app.Info {
	w.t.Helper()
	a := w.set.App(name)
	if a == nil {
		w.t.Fatalf("there is no app %q", name)
	}
	return a.Info()
}

func wantError(t *testing.T, err, target error) {
	t.Helper()
	if !errors.Is(err, target) {
		t.Errorf("got error %v, want %v", err, target)
	}
}

// stream opens a response that doesn't end, and returns what reads the rest of it.
func stream(t testing.TB, addr, host string) (rest func() error) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), "GET", "http://"+addr+"/", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Host = host
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(res.Body, make([]byte, 5)); err != nil {
		t.Fatal(err)
	}
	return func() error {
		defer res.Body.Close()
		_, err := io.Copy(io.Discard, res.Body)
		return err
	}
}
