package control_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/nano-runtime/nano/app"
	"github.com/nano-runtime/nano/config"
	"github.com/nano-runtime/nano/control"
	"github.com/nano-runtime/nano/internal/await"
)

// TestStart starts with apps that can't run: the others serve.
func TestStart(t *testing.T) {
	w := begin(t, files+`
-- etc/apps.d/more.toml --
[apps.broken]
hosts = ["broken.test"]
root = "../../broken"
[apps.throws]
hosts = ["throws.test"]
root = "../../throws"
[apps.gone]
hosts = ["gone.test"]
root = "/nonexistent"
`)
	w.want("one.test", "200 one 1")
	w.want("two.test", "200 two 1")
	for _, name := range []string{"broken", "throws", "gone"} {
		w.want(name+".test", "503 the app is not available")
		if i := w.info(name); i.State != app.Failed || i.Problem == nil {
			t.Errorf("%s is %s: %v", name, i.State, i.Problem)
		}
	}
	o := w.c.Last()
	if len(o.Failed) != 3 || len(o.Added) != 2 || o.By != "start" || o.OK() {
		t.Errorf("outcome: %+v", o)
	}
	for name, want := range map[string]string{"broken": "index.js:2", "throws": "not today", "gone": "does not exist"} {
		if p := w.info(name).Problem; !strings.Contains(p.Error(), want) {
			t.Errorf("%s: got %q, want %q", name, p, want)
		}
	}
}

// TestStartWithoutConfiguration doesn't: nothing would be right.
func TestStartWithoutConfiguration(t *testing.T) {
	w := &world{t: t, dir: t.TempDir(), log: new(await.Log)}
	w.write("-- etc/nano.toml --\n[apps.x]\nhost = [\"x\"]\n[server]\ndrain_timeout = 5\n")
	err := w.tryOpen(false)
	var problems config.Problems
	if !errors.As(err, &problems) || len(problems) < 2 {
		t.Errorf("got %v", err)
	}
}

func TestReload(t *testing.T) {
	w := begin(t, files)
	reload := func() *control.Outcome {
		t.Helper()
		o, err := w.c.Reload(t.Context(), "test")
		if err != nil {
			t.Fatal(err)
		}
		return o
	}
	diff := func(o *control.Outcome, added, changed, removed, failed string) {
		t.Helper()
		join := func(names []string) string { return strings.Join(names, " ") }
		var f []string
		for _, x := range o.Failed {
			f = append(f, x.App)
		}
		got := []string{join(o.Added), join(o.Changed), join(o.Removed), join(f)}
		if d := cmp.Diff([]string{added, changed, removed, failed}, got); d != "" {
			t.Errorf("added, changed, removed, failed: %s", d)
		}
	}

	diff(reload(), "", "", "", "")
	if v := w.info("one").Version.Number; v != 1 {
		t.Errorf("a reload without a change made version %d", v)
	}

	w.write("-- one/index.js --\nexport default { fetch: () => new Response(\"one 2\") }\n")
	diff(reload(), "", "one", "", "")
	w.want("one.test", "200 one 2")
	if v := w.info("one").Version; v.Number != 2 || v.By != "test" {
		t.Errorf("version %+v", v)
	}

	w.write("-- one/index.js --\nexport default {\n-- two/index.js --\nexport default { fetch: () => new Response(\"two 2\") }\n")
	diff(reload(), "", "two", "", "one")
	w.want("one.test", "200 one 2")
	w.want("two.test", "200 two 2")
	if i := w.info("one"); i.State != app.Serving || i.Problem == nil || i.Version.Number != 2 {
		t.Errorf("one is %s, version %d: %v", i.State, i.Version.Number, i.Problem)
	}

	w.write("-- one/index.js --\nexport default { fetch: () => new Response(\"one 2\") }\n")
	diff(reload(), "", "", "", "")
	if i := w.info("one"); i.Problem != nil {
		t.Errorf("mended, one still says %v", i.Problem)
	}

	before := w.c.Config()
	w.write("-- etc/nano.toml --\n[apps.one]\nhosts = [\"one.test\"]\nrot = \"../one\"\n[apps.two]\nhosts = [\"one.test\"]\n")
	o := reload()
	if len(o.Problems) < 2 || o.OK() {
		t.Errorf("outcome of a bad configuration: %+v", o)
	}
	diff(o, "", "", "", "")
	w.want("one.test", "200 one 2")
	w.want("two.test", "200 two 2")
	if w.c.Config() != before {
		t.Error("a bad configuration is in force")
	}

	w.write(`-- etc/nano.toml --
[server]
listen = ["127.0.0.1:1"]
watch = false
[apps.one]
hosts = ["two.test"]
root = "../one"
[apps.three]
hosts = ["one.test"]
root = "../three"
`)
	o = reload()
	diff(o, "three", "one", "two", "")
	w.want("two.test", "200 one 2")
	w.want("one.test", "200 three")
	if len(o.Notes) != 1 || !strings.Contains(o.Notes[0], "listen") {
		t.Errorf("notes: %v", o.Notes)
	}
	if loaded, failed := w.c.Counts(); loaded != 5 || failed != 2 {
		t.Errorf("counted %d good and %d bad outcomes", loaded, failed)
	}
}

func TestReloadApp(t *testing.T) {
	w := begin(t, files)
	o, err := w.c.ReloadApp(t.Context(), "one", "somebody")
	if err != nil || len(o.Changed) != 1 || o.Unchanged != 1 {
		t.Errorf("got %+v, %v", o, err)
	}
	if v := w.info("one").Version; v.Number != 2 || v.By != "somebody" {
		t.Errorf("version %+v", v)
	}

	w.write("-- one/index.js --\nexport default {\n-- two/index.js --\nexport default {\n")
	_, err = w.c.ReloadApp(t.Context(), "one", "somebody")
	var load *control.LoadError
	if !errors.As(err, &load) || load.App != "one" {
		t.Errorf("got %v", err)
	}
	w.want("one.test", "200 one 1")
	w.want("two.test", "200 two 1")
	if i := w.info("one"); i.Problem == nil {
		t.Error("the app doesn't say that it could not be loaded")
	}

	_, err = w.c.ReloadApp(t.Context(), "nope", "somebody")
	wantError(t, err, control.ErrNotFound)

	w.write("-- etc/nano.toml --\n[apps.one]\n")
	_, err = w.c.ReloadApp(t.Context(), "one", "somebody")
	var problems config.Problems
	if !errors.As(err, &problems) {
		t.Errorf("got %v", err)
	}
}

// TestSuccessor hands the state directory from one process to the next.
func TestSuccessor(t *testing.T) {
	old := begin(t, files)
	old.put(old.three("three", 1))
	old.write("-- two/index.js --\nexport default { fetch: () => new Response(\"two 2\") }\n")

	// While the new one starts, writes wait.
	next := old.again(true)
	waiting := make(chan error, 1)
	go func() {
		_, err := old.c.Put(t.Context(), old.three("four", 1), control.Expect{}, "late")
		waiting <- err
	}()
	select {
	case err := <-waiting:
		t.Fatalf("a write was not held back: %v", err)
	case <-time.After(50 * time.Millisecond):
	}
	next.c.Serving()
	if err := <-waiting; !errors.Is(err, control.ErrHandedOver) {
		t.Errorf("the late write: got %v", err)
	}
	next.want("four.test", "404 no app has this host")

	o := next.c.Last()
	if d := cmp.Diff([]string{"two"}, o.Changed); d != "" || o.Unchanged != 2 || len(o.Added) > 0 {
		t.Errorf("outcome %+v", o)
	}
	want := map[string]int{"one": 1, "two": 2, "three": 1}
	for name, n := range want {
		if v := next.info(name).Version; v.Number != n {
			t.Errorf("%s: version %d, want %d", name, v.Number, n)
		}
	}
	if by := next.info("three").Version.By; by != "test" {
		t.Errorf("three is by %q", by)
	}
	next.want("three.test", "200 three 1")
	next.put(next.three("four", 1))
	next.want("four.test", "200 three 1")
}

// TestSuccessorRefuses to take over with less than there is.
func TestSuccessorRefuses(t *testing.T) {
	old := begin(t, files+`
-- etc/apps.d/more.toml --
[apps.broken]
hosts = ["broken.test"]
root = "../../broken"
`)
	refused := func(want string) {
		t.Helper()
		next := &world{t: t, dir: old.dir, log: new(await.Log)}
		err := next.tryOpen(true)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Fatalf("got %v, want %q", err, want)
		}
		next.c.Close()
	}
	old.write("-- one/index.js --\nexport default {\n")
	refused(`cannot load app "one"`)
	old.write("-- one/index.js --\nexport default { fetch: () => new Response(\"one 2\") }\n")
	old.write("-- etc/apps.d/new.toml --\n[apps.throws]\nhosts = [\"throws.test\"]\nroot = \"../../throws\"\n")
	refused(`cannot load app "throws"`)
	if err := os.Remove(filepath.Join(old.dir, "etc/apps.d/new.toml")); err != nil {
		t.Fatal(err)
	}
	// That one was broken before.
	next := old.again(true)
	next.c.Serving()
	next.want("one.test", "200 one 2")
}

// TestUpgrade learns from the next process what it made of its start.
func TestUpgrade(t *testing.T) {
	old := begin(t, files)
	old.write("-- one/index.js --\nexport default { fetch: () => new Response(\"one 2\") }\n")
	var serving sync.WaitGroup
	defer serving.Wait()
	o, err := old.c.Upgrade(t.Context(), "api uid=7", func(context.Context) error {
		next := old.again(true)
		serving.Go(next.c.Serving) // which may be after the older process has heard of it
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{"one"}, o.Changed); d != "" || o.By != "api uid=7" || o.Unchanged != 1 {
		t.Errorf("outcome %+v", o)
	}
	_, err = old.c.Upgrade(t.Context(), "api uid=8", func(context.Context) error { return errors.New("never called") })
	wantError(t, err, control.ErrHandedOver)
}

// TestRestart goes on with versions where they were.
func TestRestart(t *testing.T) {
	w := begin(t, files)
	for n := range 12 {
		w.put(w.three("three", n))
	}
	i := w.info("three")
	if len(i.Versions) != 10 || i.Version.Number != 12 {
		t.Errorf("%d versions, the last is %d", len(i.Versions), i.Version.Number)
	}
	again := w.again(false)
	again.c.Serving()
	if d := cmp.Diff(i.Versions, again.info("three").Versions); d != "" {
		t.Errorf("versions after a restart: %s", d)
	}
	again.put(again.three("three", 100))
	if v := again.info("three").Version.Number; v != 13 {
		t.Errorf("version %d", v)
	}
}

// TestSleepsOn leaves apps asleep that slept before; one that has changed is loaded first.
func TestSleepsOn(t *testing.T) {
	w := begin(t, strings.ReplaceAll(files, "root = ", "idle = \"1s\"\nroot = ")+`
-- etc/apps.d/four.toml --
[apps.four]
hosts = ["four.test"]
root = "../../three"
`)
	w.await("one and two sleep", func() bool {
		return w.info("one").State == app.Sleeping && w.info("two").State == app.Sleeping
	})
	w.put(w.three("three", 1)) // which writes down who sleeps
	w.write("-- two/index.js --\nexport default { fetch: () => new Response(\"two 2\") }\n")
	next := w.again(true)
	next.c.Serving()
	want := map[string]app.State{"one": app.Sleeping, "two": app.Sleeping, "three": app.Serving, "four": app.Serving}
	for name, state := range want {
		if i := next.info(name); i.State != state || i.Version.Number == 0 {
			t.Errorf("%s is %s, version %d; want %s", name, i.State, i.Version.Number, state)
		}
	}
	if n := next.info("one").Stats.ColdStarts; n != 0 {
		t.Errorf("one had %d cold starts", n)
	}
	next.want("one.test", "200 one 1")
	next.want("two.test", "200 two 2")
}

// TestBadRecord starts where the last process left nonsense.
func TestBadRecord(t *testing.T) {
	w := &world{t: t, dir: t.TempDir(), log: new(await.Log)}
	w.write(files + "-- state/running.json --\n{\"apps\": 7}\n")
	w.open(false)
	w.c.Serving()
	w.want("one.test", "200 one 1")
	if v := w.info("one").Version.Number; v != 1 {
		t.Errorf("version %d", v)
	}
}

// TestEvents tells what happens, and never waits for who doesn't listen.
func TestEvents(t *testing.T) {
	w := begin(t, files)
	sub := w.c.Subscribe()
	deaf := w.c.Subscribe()
	w.put(w.three("three", 1))
	w.put(w.three("three", 2))
	if _, _, err := w.c.Remove(t.Context(), "three", control.Expect{}, "test"); err != nil {
		t.Fatal(err)
	}
	var got []string
	for range 6 {
		e := <-sub.C
		got = append(got, strings.TrimSpace(e.Type+" "+e.App))
	}
	want := []string{"added three", "reload", "changed three", "reload", "removed three", "reload"}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	sub.Close()
	for range 1000 {
		w.c.AppEvent(app.EventLimit, "one", "cpu")
	}
	for range 100 {
		<-deaf.C
	}
	w.c.AppEvent(app.EventLimit, "one", "cpu")
	lost := false
	for len(deaf.C) > 0 {
		e := <-deaf.C
		lost = lost || e.Type == control.EventLost
	}
	if !lost {
		t.Error("nobody told that events were lost")
	}
}

// TestLater serves before apps are loaded, tells what becomes of them, and has the next
// process find them.
func TestLater(t *testing.T) {
	archive := strings.Replace(files, "[apps.two]", "[apps.broken]\nhosts = [\"broken.test\"]\nroot = \"../broken\"\n[apps.two]", 1)
	w := &world{t: t, dir: t.TempDir(), log: new(await.Log), later: true}
	w.write(archive)
	time.Sleep(50 * time.Millisecond) // what is younger isn't kept
	w.open(false)
	w.c.Serving()
	w.want("one.test", "200 one 1")
	w.await("all are tried", func() bool { return w.c.Last().Loading == 0 })
	o := w.c.Last()
	slices.Sort(o.Added)
	if d := cmp.Diff([]string{"one", "two"}, o.Added); d != "" || len(o.Failed) != 1 || o.Failed[0].App != "broken" || o.OK() {
		t.Errorf("outcome %+v", o)
	}
	if i := w.info("broken"); i.State != app.Failed || i.Problem == nil || len(i.Sources) == 0 {
		t.Errorf("broken is %s: %v, of %v", i.State, i.Problem, i.Sources)
	}
	if _, failed := w.c.Counts(); failed != 1 {
		t.Errorf("%d starts failed", failed)
	}
	seen := map[string]string{}
	for len(seen) < 3 {
		select {
		case e := <-w.events.C:
			switch e.Type {
			case control.EventAdded, control.EventFailed:
				seen[e.App] = e.Type
			}
		case <-time.After(await.Deadline):
			t.Fatalf("events: %v", seen)
		}
	}
	if seen["one"] != control.EventAdded || seen["broken"] != control.EventFailed {
		t.Errorf("events: %v", seen)
	}
	w.await("two sleeps", func() bool { return w.info("two").State == app.Sleeping })
	w.c.Close()

	next := w.again(false)
	next.c.Serving()
	next.await("all are tried", func() bool { return next.c.Last().Loading == 0 })
	if o := next.c.Last(); o.Unchanged != 2 || len(o.Added) != 0 || len(o.Failed) != 1 {
		t.Errorf("the next process: %+v", o)
	}
	if i := next.info("two"); i.State != app.Sleeping || i.Version.Number != 1 || i.Stats.ColdStarts != 0 {
		t.Errorf("two is %s, version %d, started %d times", i.State, i.Version.Number, i.Stats.ColdStarts)
	}
	next.want("two.test", "200 two 1")
}
