package config

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/fsnotify/fsnotify"
	"github.com/google/go-cmp/cmp"
)

// byEvents makes it certain that what is told was not found by polling.
var byEvents = WatchOptions{Settle: 20 * time.Millisecond, Poll: time.Hour}

type watching struct {
	*Watcher
	t    *testing.T
	dir  string
	stop func()
}

// startWatching watches nothing yet. If add isn't nil, it stands in for the
// system's way to ask for events.
func startWatching(t *testing.T, o WatchOptions, add func(dir string) error) *watching {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	w := newWatcher(o)
	events, err := fsnotify.NewWatcher()
	if err != nil {
		t.Fatal(err)
	}
	w.events, w.add = events, events.Add
	if add != nil {
		w.add = add
	}
	go w.run(ctx)
	stop := func() {
		cancel()
		for range w.Changes() {
		}
	}
	t.Cleanup(stop)
	return &watching{w, t, t.TempDir(), stop}
}

func (w *watching) path(name string) string { return filepath.Join(w.dir, name) }

func (w *watching) write(name, text string) { w.t.Helper(); writeFile(w.t, w.path(name), text) }

func (w *watching) rename(from, to string) {
	w.t.Helper()
	if err := os.Rename(w.path(from), w.path(to)); err != nil {
		w.t.Fatal(err)
	}
}

func (w *watching) remove(name string) {
	w.t.Helper()
	if err := os.RemoveAll(w.path(name)); err != nil {
		w.t.Fatal(err)
	}
}

// swap points a link elsewhere in one step, as deploy tools do.
func (w *watching) swap(to, name string) {
	w.t.Helper()
	symlink(w.t, to, w.path(".swap"))
	w.rename(".swap", name)
}

func (w *watching) set(files, folders []string) {
	w.t.Helper()
	for _, list := range []*[]string{&files, &folders} {
		absolute := make([]string, len(*list))
		for i, name := range *list {
			absolute[i] = w.path(name)
		}
		*list = absolute
	}
	w.Set(files, folders, time.Time{})
}

// expect waits until all the names were told, and fails if another is. A name
// that ends in a star stands for one path or more at it or below; if it also
// begins with a question mark, for none or more.
func (w *watching) expect(names ...string) {
	w.t.Helper()
	missing := make(map[string]bool)
	for _, name := range names {
		if name[0] != '?' {
			missing[name] = true
		}
	}
	deadline := time.After(time.Minute)
	for len(missing) > 0 {
		select {
		case paths, ok := <-w.Changes():
			if !ok || len(paths) == 0 || !slices.IsSorted(paths) {
				w.t.Fatalf("got %q, %t", paths, ok)
			}
			for _, path := range paths {
				got, err := filepath.Rel(w.dir, path)
				if err != nil {
					w.t.Fatal(err)
				}
				known := false
				for _, name := range names {
					prefix, star := strings.CutSuffix(strings.TrimPrefix(name, "?"), "*")
					if got == prefix || star && strings.HasPrefix(got, prefix+"/") {
						known = true
						delete(missing, name)
					}
				}
				if !known {
					w.t.Errorf("%s has not changed", got)
				}
			}
		case <-deadline:
			w.t.Fatalf("not told: %v", missing)
		}
	}
}

// settled makes a change of its own, so that whatever was told wrongly shows.
func (w *watching) settled(marker string, also ...string) {
	w.t.Helper()
	w.write(marker, time.Now().String())
	w.expect(append(also, marker)...)
}

func TestWatchFolder(t *testing.T) {
	tests := map[string]struct {
		change func(w *watching)
		want   []string
	}{
		"write":              {func(w *watching) { w.write("app/index.js", "2") }, []string{"app/index.js"}},
		"write below":        {func(w *watching) { w.write("app/src/a/b.ts", "2") }, []string{"app/src/a/b.ts"}},
		"new file":           {func(w *watching) { w.write("app/new.js", "") }, []string{"app/new.js"}},
		"remove":             {func(w *watching) { w.remove("app/index.js") }, []string{"app/index.js"}},
		"rename":             {func(w *watching) { w.rename("app/index.js", "app/main.js") }, []string{"app/index.js", "app/main.js"}},
		"rename and replace": {func(w *watching) { w.write("app/.index.js.new", "2"); w.rename("app/.index.js.new", "app/index.js") }, []string{"app/index.js"}},
		"back up and write anew": {func(w *watching) {
			w.write("app/4913", "")
			w.remove("app/4913")
			w.rename("app/index.js", "app/index.js~")
			w.write("app/index.js", "2")
			w.remove("app/index.js~")
		}, []string{"app/index.js"}},
		"mode":                  {func(w *watching) { os.Chmod(w.path("app/index.js"), 0o600) }, []string{"app/index.js"}},
		"folder removed":        {func(w *watching) { w.remove("app/src/a") }, []string{"app/src/a", "?app/src/a*"}},
		"folder moved in":       {func(w *watching) { w.rename("other", "app/other") }, []string{"app/other", "?app/other*"}},
		"folder moved out":      {func(w *watching) { w.rename("app/src", "gone") }, []string{"app/src", "?app/src*"}},
		"folder replaced":       {func(w *watching) { w.rename("app/src", "gone"); w.rename("other", "app/src") }, []string{"app/src*"}},
		"the whole replaced":    {func(w *watching) { w.rename("app", "gone"); w.rename("other", "app") }, []string{"app/index.js", "?app*"}},
		"the whole removed":     {func(w *watching) { w.remove("app") }, []string{"app", "?app*"}},
		"link inside swapped":   {func(w *watching) { w.swap("other/index.js", "app/link.js") }, []string{"app/link.js"}},
		"end of a link written": {func(w *watching) { w.write("shared.js", "2") }, []string{"app/link.js"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := startWatching(t, byEvents, nil)
			w.write("app/index.js", "1")
			w.write("app/src/a/b.ts", "1")
			w.write("other/index.js", "other")
			w.write("shared.js", "1")
			symlink(t, "../shared.js", w.path("app/link.js"))
			w.set(nil, []string{"app"})
			tt.change(w)
			w.expect(tt.want...)
			// It goes on: whatever is there now is watched.
			w.write("app/more/deep/x.js", "")
			w.expect("app*")
			w.settled("app/more/deep/x.js", "?app*")
			w.settled("app/index.js", "?app*")
			w.settled("app/index.js")
		})
	}
}

func TestWatchIgnores(t *testing.T) {
	w := startWatching(t, byEvents, nil)
	w.write("app/node_modules/x/index.js", "1")
	w.write("app/.git/HEAD", "1")
	w.set(nil, []string{"app"})
	for _, name := range []string{
		"node_modules/x/index.js", "node_modules/y.js", ".git/HEAD", ".git/new", ".index.js.swp", "index.js~", "#index.js#", ".#index.js", "4913", "x.tmp",
		"index.js___jb_tmp___", "sub/.hidden/x", "sub/node_modules/x",
	} {
		w.write("app/"+name, "2")
	}
	w.write("outside", "")
	w.settled("app/index.js", "app/sub")
}

func TestWatchHiddenFolder(t *testing.T) {
	w := startWatching(t, byEvents, nil)
	w.write("app/.out/worker/_worker.js", "1")
	app := App{Root: w.path("app"), Entry: w.path("app/.out/worker/_worker.js"), Assets: w.path("app/.out/assets")}
	if diff := cmp.Diff([]string{app.Root, w.path("app/.out/worker"), w.path("app/.out/assets")}, app.Folders()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	w.Set(nil, app.Folders(), time.Time{})
	w.settled("app/.out/worker/_worker.js")
	w.settled("app/x.js")

	app = App{Root: "/srv/.hidden/app", Entry: "/srv/.hidden/app/src/index.ts", Assets: "/srv/.hidden/app"}
	if diff := cmp.Diff([]string{app.Root}, app.Folders()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestWatchFiles(t *testing.T) {
	tests := map[string]struct {
		change func(w *watching)
		want   []string
	}{
		"write":              {func(w *watching) { w.write("etc/nano.toml", "2") }, []string{"etc/nano.toml"}},
		"rename and replace": {func(w *watching) { w.write("etc/x", "2"); w.rename("etc/x", "etc/nano.toml") }, []string{"etc/nano.toml"}},
		"remove":             {func(w *watching) { w.remove("etc/nano.toml") }, []string{"etc/nano.toml"}},
		"neighbour":          {func(w *watching) { w.write("etc/other.toml", "2"); w.write("etc/nano.toml", "2") }, []string{"etc/nano.toml"}},
		"new in folder":      {func(w *watching) { w.write("etc/apps.d/b.toml", "2") }, []string{"etc/apps.d/b.toml"}},
		"changed in folder":  {func(w *watching) { w.write("etc/apps.d/a.toml", "2") }, []string{"etc/apps.d/a.toml"}},
		"not below folder":   {func(w *watching) { w.write("etc/apps.d/sub/x", "2"); w.write("etc/apps.d/sub/y", "2") }, []string{"etc/apps.d/sub"}},
		"folder appears":     {func(w *watching) { w.write("state/apps.d/a.toml", "2") }, []string{"state/apps.d", "?state/apps.d*"}},
		"folder removed":     {func(w *watching) { w.remove("etc/apps.d") }, []string{"etc/apps.d", "etc/apps.d/a.toml"}},
		"link swapped":       {func(w *watching) { w.swap("v2.toml", "etc/link.toml") }, []string{"etc/link.toml"}},
		"end of link":        {func(w *watching) { w.write("v1.toml", "2") }, []string{"etc/link.toml"}},
		"link on the way":    {func(w *watching) { w.swap("v2", "mount/..data") }, []string{"mount/nano.toml"}},
		"comes up":           {func(w *watching) { w.write("not/there/yet.toml", "2") }, []string{"not/there/yet.toml"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := startWatching(t, byEvents, nil)
			w.write("etc/nano.toml", "1")
			w.write("etc/apps.d/a.toml", "1")
			w.write("v1.toml", "1")
			w.write("etc/v2.toml", "22")
			symlink(t, "../v1.toml", w.path("etc/link.toml"))
			// As Kubernetes mounts a ConfigMap.
			w.write("mount/v1/nano.toml", "1")
			w.write("mount/v2/nano.toml", "22")
			symlink(t, "v1", w.path("mount/..data"))
			symlink(t, "..data/nano.toml", w.path("mount/nano.toml"))
			w.set([]string{
				"etc/nano.toml", "etc/apps.d", "etc/apps.d/a.toml", "state/apps.d", "etc/link.toml", "mount/nano.toml", "not/there/yet.toml",
			}, nil)
			tt.change(w)
			w.expect(tt.want...)
			w.write("etc/apps.d/again.toml", "")
			w.expect("etc/apps.d*")
		})
	}
}

func TestWatchRootThatIsALink(t *testing.T) {
	w := startWatching(t, byEvents, nil)
	w.write("releases/1/index.js", "1")
	w.write("releases/2/index.js", "2")
	symlink(t, "releases/1", w.path("current"))
	w.set(nil, []string{"current"})
	w.settled("current/index.js")
	w.swap("releases/2", "current")
	w.expect("current")
	w.settled("current/index.js")
	w.write("releases/1/index.js", "old")
	w.settled("current/src.js")
	w.remove("current")
	w.expect("current")
	symlink(t, "releases/1", w.path("current"))
	w.expect("current")
}

func TestWatchTellsOfManyAtOnce(t *testing.T) {
	o := byEvents
	o.Settle = 300 * time.Millisecond
	w := startWatching(t, o, nil)
	w.write("app/index.js", "")
	w.set(nil, []string{"app"})
	var want []string
	for i := range 100 {
		name := fmt.Sprintf("app/%02d.js", i)
		want = append(want, w.path(name))
		w.write(name, "")
	}
	slices.Sort(want)
	got := <-w.Changes()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// TestWatchTellsOfChangesWithoutEnd keeps writing, so that nothing ever settles.
func TestWatchTellsOfChangesWithoutEnd(t *testing.T) {
	w := startWatching(t, byEvents, nil)
	w.write("app/log", "")
	w.set(nil, []string{"app"})
	stop := make(chan struct{})
	var writer sync.WaitGroup
	writer.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			case <-time.After(w.options.Settle / 10):
				os.WriteFile(w.path("app/log"), fmt.Append(nil, i), 0o644)
			}
		}
	})
	for range 3 {
		w.expect("app/log")
	}
	close(stop)
	writer.Wait()
}

func TestWatchSet(t *testing.T) {
	w := startWatching(t, byEvents, nil)
	w.write("a/x.js", "")
	w.write("b/x.js", "")
	w.write("c/x.js", "")
	w.set(nil, []string{"a", "b"})
	w.settled("a/x.js")
	w.set(nil, []string{"b", "c"})
	w.write("a/x.js", "2")
	w.settled("b/x.js")
	w.settled("c/x.js")
	// What is still watched loses no change to a Set.
	w.write("b/x.js", "3")
	w.set(nil, []string{"b"})
	w.expect("b/x.js")
	w.set(nil, nil)
	w.stop()
	if len(w.watches) != 0 || len(w.targets) != 0 || len(w.dirty) != 0 {
		t.Errorf("left over: %v, %v, %v", w.watches, w.targets, w.dirty)
	}
	w.Set(nil, []string{w.dir}, time.Time{}) // returns, after the end
}

func TestWatchTellsWhatChangedWhileItWasRead(t *testing.T) {
	w := startWatching(t, byEvents, nil)
	w.write("old/x.js", "")
	w.write("new/x.js", "")
	w.write("removed/x.js", "")
	w.write("elsewhere/y.js", "")
	symlink(t, "old", w.path("swapped"))
	// The times of files are those of a clock that ticks.
	var since time.Time
	for before := time.Now().Add(2 * clockTick); since.Before(before); since = time.Now() {
		time.Sleep(clockTick)
	}
	w.write("new/x.js", "2")
	w.remove("removed/x.js")
	w.rename("elsewhere", "old/elsewhere")
	w.swap("new", "swapped")
	w.Set([]string{w.path("new/x.js")}, []string{w.path("removed"), w.path("swapped")}, since)
	w.expect("new/x.js", "removed", "swapped*")
	w.Set(nil, []string{w.path("old")}, since)
	w.expect("old*")
	w.Set(nil, []string{w.path("removed"), w.path("old")}, time.Now().Add(time.Hour))
	w.settled("old/x.js")
}

func TestWatchByPolling(t *testing.T) {
	tests := map[string]struct {
		options WatchOptions
		add     func(string) error
		why     string
	}{
		"no watches left":   {WatchOptions{}, func(string) error { return syscall.ENOSPC }, "the system's limit fs.inotify.max_user_watches is reached"},
		"no instances left": {WatchOptions{}, func(string) error { return syscall.EMFILE }, "the system's limit fs.inotify.max_user_instances, or that of open files, is reached"},
		"own bound":         {WatchOptions{MaxWatches: 2}, nil, "more folders than are watched by events"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var reports []string
			o := tt.options
			o.Settle, o.Poll = 20*time.Millisecond, 20*time.Millisecond
			o.Report = func(err error) { reports = append(reports, err.Error()) }
			w := startWatching(t, o, tt.add)
			w.write("app/src/a/index.js", "1")
			w.write("nano.toml", "1")
			w.set([]string{"nano.toml"}, []string{"app"})
			w.settled("app/src/a/index.js")
			w.settled("nano.toml")
			w.write("app/src/b/x.js", "")
			w.expect("app/src/b", "?app/src/b*")
			w.settled("app/src/b/x.js")
			w.remove("app/src")
			w.expect("app/src", "?app/src*")
			w.stop()
			want := "cannot watch " + w.path("app") + " by events, so it is looked at every 20ms: " + tt.why
			if n := len(reports); n < 1 || n > 2 || !slices.Contains(reports, want) {
				t.Errorf("got the reports %q; want %q once", reports, want)
			}
			if w.options.MaxWatches == 2 && len(w.watches) > 2 {
				t.Errorf("%d watches", len(w.watches))
			}
		})
	}
}

// TestWatchGoesBackToEvents checks that polling ends when there is room again.
func TestWatchGoesBackToEvents(t *testing.T) {
	room := make(chan struct{})
	added := make(chan string, 100)
	w := startWatching(t, WatchOptions{Settle: 20 * time.Millisecond, Poll: 20 * time.Millisecond}, func(dir string) error {
		select {
		case <-room:
			added <- dir
			return nil
		default:
			return syscall.ENOSPC
		}
	})
	w.write("app/index.js", "1")
	w.set(nil, []string{"app"})
	w.settled("app/index.js")
	close(room)
	for missing := map[string]bool{w.dir: true, w.path("app"): true}; len(missing) > 0; {
		delete(missing, <-added)
	}
	w.Set(nil, []string{w.path("app")}, time.Time{}) // returns after the scan that is under way
	w.stop()
	if w.targets[w.path("app")].polled {
		t.Error("it is still polled")
	}
}

func TestWatchLostEvents(t *testing.T) {
	w := startWatching(t, byEvents, func(string) error { return nil }) // no event ever comes
	w.write("app/index.js", "1")
	w.set(nil, []string{"app"})
	w.write("app/index.js", "22")
	w.events.Errors <- fsnotify.ErrEventOverflow
	w.expect("app/index.js")
}

func TestNewWatcher(t *testing.T) {
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "x"), "")
	ctx, cancel := context.WithCancel(t.Context())
	w := NewWatcher(ctx, WatchOptions{})
	w.Set(nil, []string{dir}, time.Time{})
	writeFile(t, filepath.Join(dir, "x"), "2")
	select {
	case got := <-w.Changes():
		if want := []string{filepath.Join(dir, "x")}; !slices.Equal(got, want) {
			t.Errorf("got %q; want %q", got, want)
		}
	case <-time.After(time.Minute):
		t.Fatal("not told")
	}
	cancel()
	for range w.Changes() {
	}
}
