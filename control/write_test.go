package control_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/nano-runtime/nano/app"
	"github.com/nano-runtime/nano/config"
	"github.com/nano-runtime/nano/control"
)

func TestPut(t *testing.T) {
	w := begin(t, files)
	o := w.put(w.three("three", 1))
	if len(o.Added) != 1 || o.Unchanged != 2 {
		t.Errorf("outcome %+v", o)
	}
	w.want("three.test", "200 three 1")
	w.put(w.three("three", 2))
	w.want("three.test", "200 three 2")
	if o := w.put(w.three("three", 2)); o.Unchanged != 3 {
		t.Errorf("the same again: %+v", o)
	}
	if v := w.info("three").Version; v.Number != 2 || v.By != "test" {
		t.Errorf("version %+v", v)
	}
	if _, err := w.c.Reload(t.Context(), "test"); err != nil {
		t.Fatal(err)
	}
	w.want("three.test", "200 three 2")
}

// TestPutRefused changes nothing, in memory or on disk.
func TestPutRefused(t *testing.T) {
	w := begin(t, files)
	w.put(w.three("three", 1))
	foreign := new(*control.ForeignError)
	load := new(*control.LoadError)
	problems := new(config.Problems)
	tests := []struct {
		name   string
		app    string
		body   string
		expect control.Expect
		is     error
		as     any
		text   string
	}{
		{name: "of a file", app: "one", body: `{"hosts": ["x.test"], "root": "DIR/one"}`, as: foreign, text: "etc/nano.toml"},
		{name: "there is one", app: "three", body: `{"hosts": ["x.test"], "root": "DIR/one"}`, expect: control.Expect{New: true}, is: control.ErrExists},
		{name: "there is none", app: "four", body: `{"hosts": ["x.test"], "root": "DIR/one"}`, expect: control.Expect{Exists: true}, is: control.ErrNotFound},
		{name: "stale", app: "three", body: `{"hosts": ["x.test"], "root": "DIR/one"}`, expect: control.Expect{ETag: "00"}, is: control.ErrStale},
		{name: "stale list", app: "four", body: `{"hosts": ["x.test"], "root": "DIR/one"}`, expect: control.Expect{ETag: "00"}, is: control.ErrStale},
		{name: "host of another", app: "four", body: `{"hosts": ["one.test"], "root": "DIR/one"}`, as: problems, text: "already claimed"},
		{name: "host twice", app: "four", body: `{"hosts": ["x.test", "X.test"], "root": "DIR/one"}`, as: problems, text: "twice"},
		{name: "no hosts", app: "four", body: `{"root": "DIR/one"}`, as: problems, text: "no hosts"},
		{name: "unknown key", app: "four", body: `{"hosts": ["x.test"], "rot": "DIR/one"}`, as: problems, text: "did you mean"},
		{name: "no folder", app: "four", body: `{"hosts": ["x.test"], "root": "DIR/nowhere"}`, as: problems, text: "does not exist"},
		{name: "relative", app: "four", body: `{"hosts": ["x.test"], "root": "one"}`, as: problems, text: "absolute"},
		{name: "doesn't compile", app: "four", body: `{"hosts": ["x.test"], "root": "DIR/broken"}`, as: load, text: "index.js:2"},
		{name: "throws", app: "four", body: `{"hosts": ["x.test"], "root": "DIR/throws"}`, as: load, text: "not today"},
		{name: "broken in place of good", app: "three", body: `{"hosts": ["x.test"], "root": "DIR/throws"}`, as: load, text: "not today"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			before := w.state()
			d := draft(t, test.app, "%s", strings.ReplaceAll(test.body, "DIR", w.dir))
			_, err := w.c.Put(t.Context(), d, test.expect, "test")
			if test.is != nil && !errors.Is(err, test.is) || test.as != nil && !errors.As(err, test.as) || err == nil || !strings.Contains(err.Error(), test.text) {
				t.Errorf("got %v", err)
			}
			if after := w.state(); after != before {
				t.Errorf("state before:\n%s\nafter:\n%s", before, after)
			}
			w.want("three.test", "200 three 1")
			w.want("x.test", "404 no app has this host")
		})
	}
	if i := w.info("three"); i.Problem != nil {
		t.Errorf("a refused write is kept as a problem: %v", i.Problem)
	}
}

// state is what is on disk and what runs, as text.
func (w *world) state() string {
	var b strings.Builder
	entries, err := os.ReadDir(filepath.Join(w.dir, "state/apps.d"))
	if err != nil && !os.IsNotExist(err) {
		w.t.Fatal(err)
	}
	for _, e := range entries {
		data, err := os.ReadFile(filepath.Join(w.dir, "state/apps.d", e.Name()))
		if err != nil {
			w.t.Fatal(err)
		}
		fmt.Fprintf(&b, "%s: %s\n", e.Name(), data)
	}
	for _, a := range w.set.Apps() {
		i := a.Info()
		fmt.Fprintf(&b, "%s %s %d\n", i.Name, i.State, i.Version.Number)
	}
	return b.String()
}

// TestPutUnwritable changes nothing where the state can't be kept.
func TestPutUnwritable(t *testing.T) {
	w := begin(t, files)
	// A file where the folder should be is in the way even of root.
	w.write("-- state/apps.d --\n")
	if _, err := w.c.Put(t.Context(), w.three("three", 1), control.Expect{}, "test"); err == nil {
		t.Error("a write to nowhere succeeded")
	}
	w.want("three.test", "404 no app has this host")
	if w.set.App("three") != nil {
		t.Error("the app is there")
	}
}

func TestRemove(t *testing.T) {
	w := begin(t, files+`
-- slow/index.js --
export default { fetch: () => new Response(new ReadableStream({
	start(c) { c.enqueue(new TextEncoder().encode("begun")) },
	pull() { return new Promise(() => {}) },
}))}
`)
	w.put(w.three("three", 1))
	_, drain, err := w.c.Remove(t.Context(), "three", control.Expect{}, "test")
	if err != nil || drain != nil {
		t.Errorf("got %v, %v", drain, err)
	}
	w.want("three.test", "404 no app has this host")
	_, _, err = w.c.Remove(t.Context(), "three", control.Expect{}, "test")
	wantError(t, err, control.ErrNotFound)
	var foreign *control.ForeignError
	if _, _, err = w.c.Remove(t.Context(), "one", control.Expect{}, "test"); !errors.As(err, &foreign) {
		t.Errorf("got %v", err)
	}

	w.put(draft(t, "slow", `{"hosts": ["slow.test"], "root": %q}`, filepath.Join(w.dir, "slow")))
	open := stream(t, w.addr, "slow.test")
	_, drain, err = w.c.Remove(t.Context(), "slow", control.Expect{ETag: control.ETag(mustApp(t, w, "slow"))}, "test")
	if err != nil || drain == nil || !strings.Contains(drain.Error(), "drained") {
		t.Errorf("a stream was open: got %v, %v", drain, err)
	}
	if err := open(); err == nil {
		t.Error("the stream that was cut off looks whole")
	}
	again := w.again(false)
	again.c.Serving()
	again.want("slow.test", "404 no app has this host")
}

func mustApp(t *testing.T, w *world, name string) config.App {
	t.Helper()
	a, ok := w.c.Config().App(name)
	if !ok {
		t.Fatalf("there is no app %q", name)
	}
	return a
}

func TestEnable(t *testing.T) {
	w := begin(t, files)
	w.put(w.three("three", 1))
	turn := func(on bool) error {
		_, err := w.c.Enable(t.Context(), "three", on, control.Expect{}, "test")
		return err
	}
	for range 2 { // twice is once
		if err := turn(false); err != nil {
			t.Fatal(err)
		}
	}
	w.want("three.test", "503 the app is not available")
	if st := w.info("three").State; st != app.Disabled {
		t.Errorf("state %s", st)
	}
	again := w.again(false)
	again.want("three.test", "503 the app is not available")
	again.c.Close()
	if err := turn(true); err != nil {
		t.Fatal(err)
	}
	w.want("three.test", "200 three 1")

	var foreign *control.ForeignError
	if _, err := w.c.Enable(t.Context(), "one", false, control.Expect{}, "test"); !errors.As(err, &foreign) {
		t.Errorf("got %v", err)
	}
	if _, err := w.c.Enable(t.Context(), "one", true, control.Expect{}, "test"); err != nil {
		t.Errorf("an end of its quarantine: got %v", err)
	}
	_, err := w.c.Enable(t.Context(), "nope", true, control.Expect{}, "test")
	wantError(t, err, control.ErrNotFound)
}

// TestConcurrentWriters has a hundred writers change a few apps at once. Each that
// reads, adds one and writes back with the ETag counts once: no update is lost. At the
// end disk, memory and answers agree.
func TestConcurrentWriters(t *testing.T) {
	w := begin(t, files)
	const writers, names = 100, 3
	for i := range names {
		w.put(w.three(fmt.Sprintf("n%d", i), 0))
	}
	var wg sync.WaitGroup
	var added [names]int
	var mu sync.Mutex
	for i := range writers {
		wg.Go(func() {
			switch {
			case i%5 == 4: // apps come and go beside
				name := fmt.Sprintf("guest%d", i%3)
				_, err := w.c.Put(t.Context(), w.three(name, i), control.Expect{}, "test")
				if err == nil && i%2 == 0 {
					_, _, err = w.c.Remove(t.Context(), name, control.Expect{}, "test")
				}
				if err != nil && !errors.Is(err, control.ErrNotFound) {
					t.Error(err)
				}
				return
			case i%7 == 6:
				if _, err := w.c.Reload(t.Context(), "test"); err != nil {
					t.Error(err)
				}
				return
			}
			which := rand.IntN(names)
			name := fmt.Sprintf("n%d", which)
			for {
				a, _ := w.c.Config().App(name)
				n := int(a.Env["N"].(int64))
				_, err := w.c.Put(context.WithoutCancel(t.Context()), w.three(name, n+1), control.Expect{ETag: control.ETag(a)}, "test")
				if errors.Is(err, control.ErrStale) {
					continue
				}
				if err != nil {
					t.Error(err)
				}
				mu.Lock()
				added[which]++
				mu.Unlock()
				return
			}
		})
	}
	wg.Wait()
	for i, n := range added {
		w.want(fmt.Sprintf("n%d.test", i), fmt.Sprintf("200 three %d", n))
	}
	again := w.again(false)
	again.c.Serving()
	for i, n := range added {
		again.want(fmt.Sprintf("n%d.test", i), fmt.Sprintf("200 three %d", n))
	}
	var here, there []string
	for _, a := range w.set.Apps() {
		here = append(here, fmt.Sprint(a.Name, a.Info().Version.Hash))
	}
	for _, a := range again.set.Apps() {
		there = append(there, fmt.Sprint(a.Name, a.Info().Version.Hash))
	}
	if fmt.Sprint(here) != fmt.Sprint(there) {
		t.Errorf("in memory: %v\non disk: %v", here, there)
	}
}
