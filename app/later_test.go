package app_test

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/nano-runtime/nano/app"
	"github.com/nano-runtime/nano/config"
	"github.com/nano-runtime/nano/internal/await"
)

// settled is how long files must lie before what is made of them is kept.
const settled = 50 * time.Millisecond

// cached is a host with its files and its cache in dir; "" is none of its own, and no cache.
func cached(t testing.TB, dir, archive string) *host {
	t.Helper()
	log := new(await.Log)
	o := app.Options{Log: slog.New(slog.NewTextHandler(log, nil))}
	if dir != "" {
		o.Cache = filepath.Join(dir, "cache")
	}
	h := newHostWith(t, "", o)
	if h.log = log; dir != "" {
		h.dir = dir
	}
	if archive != "" {
		h.write(archive)
		time.Sleep(settled)
	}
	return h
}

func (h *host) config() *config.Config {
	h.t.Helper()
	cfg, err := config.Load(config.Options{Path: filepath.Join(h.dir, "nano.toml")})
	if cfg == nil {
		h.t.Fatal(err)
	}
	return cfg
}

// begin leaves the apps for later.
func (h *host) begin() {
	h.t.Helper()
	if failed := h.set.Begin(context.Background(), h.config(), "start").Failed; len(failed) > 0 {
		h.t.Fatalf("apps that failed: %v", failed)
	}
}

func (h *host) state(name string) app.State {
	s, _ := h.set.App(name).State()
	return s
}

// tried waits until no app is left for later.
func (h *host) tried() {
	h.t.Helper()
	await.That(h.t, "all apps are tried", func() bool {
		for _, a := range h.set.Apps() {
			if s, _ := a.State(); s == app.Loading {
				return false
			}
		}
		return true
	})
}

// some is an archive of that many apps, app-0 and so on, each for the host of its name.
func some(n int) string {
	var archive, toml strings.Builder
	for n := range n {
		fmt.Fprintf(&toml, "[apps.app-%d]\nhosts = [\"app-%d\"]\nroot = \"app-%d\"\n", n, n, n)
		fmt.Fprintf(&archive, "-- app-%d/index.js --\nexport default { fetch: r => new Response(\"%d \" + new URL(r.url).pathname) }\n", n, n)
	}
	return "-- nano.toml --\n" + toml.String() + archive.String()
}

// TestOnlyWhatIsAskedFor loads one of many apps, which many ask for at once, once.
func TestOnlyWhatIsAskedFor(t *testing.T) {
	h := cached(t, t.TempDir(), some(20))
	h.set.StopLoading() // nothing is tried in the background
	h.begin()
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			res, err := client.Do(h.request("GET", "app-7", "/x", nil))
			if err != nil {
				t.Error(err)
				return
			}
			defer res.Body.Close()
			if res.StatusCode != 200 {
				t.Errorf("status %d", res.StatusCode)
			}
		})
	}
	wg.Wait()
	for _, a := range h.set.Apps() {
		i := a.Info()
		state, starts := app.Loading, uint64(0)
		if a.Name == "app-7" {
			state, starts = app.Serving, 1
		}
		if i.State != state || i.Stats.ColdStarts != starts || (i.Version.Number == 1) != (starts == 1) {
			t.Errorf("%s is %s, version %d, with %d starts", a.Name, i.State, i.Version.Number, i.Stats.ColdStarts)
		}
	}
}

// TestNextProcess finds everything in the cache but what has changed.
func TestNextProcess(t *testing.T) {
	dir := t.TempDir()
	first := cached(t, dir, some(6))
	first.begin()
	first.tried()
	for _, a := range first.set.Apps() {
		await.That(t, a.Name+" sleeps, and takes no memory", func() bool {
			s, _ := a.State()
			return s == app.Sleeping && a.Forgotten()
		})
		if v := a.Info().Version.Number; v != 1 {
			t.Errorf("%s has version %d", a.Name, v)
		}
	}
	entries := func() map[string]time.Time {
		at := make(map[string]time.Time)
		for n := range 6 {
			fi, err := os.Stat(filepath.Join(dir, "cache/apps", fmt.Sprintf("app-%d.app", n)))
			if err != nil {
				t.Fatal(err)
			}
			at[fmt.Sprintf("app-%d", n)] = fi.ModTime()
		}
		return at
	}
	before := entries()
	first.write("-- app-2/index.js --\nexport default { fetch: () => new Response(\"new\") }\n-- app-3/index.js --\nexport default {\n")
	for path, damage := range map[string]func([]byte) []byte{
		"app-4": func(b []byte) []byte { return b[:len(b)/2] },
		"app-5": func(b []byte) []byte { b[len(b)-3] ^= 1; return b },
	} {
		path = filepath.Join(dir, "cache/apps", path+".app")
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, damage(b), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	time.Sleep(settled)

	h := cached(t, dir, "")
	h.begin()
	h.tried()
	for name, starts := range map[string]uint64{"app-0": 0, "app-1": 0, "app-2": 1, "app-4": 1, "app-5": 0} {
		if n := h.set.App(name).Info().Stats.ColdStarts; n != starts {
			t.Errorf("%s was started %d times", name, n)
		}
	}
	if s, err := h.set.App("app-3").State(); s != app.Failed || err == nil {
		t.Errorf("app-3 is %s: %v", s, err)
	}
	want := map[string]string{"app-0": "200 0 /", "app-1": "200 1 /", "app-2": "200 new", "app-3": "503 the app is not available\n", "app-4": "200 4 /", "app-5": "200 5 /"}
	for name, answer := range want {
		if status, body := h.get(name, "/"); fmt.Sprint(status, " ", body) != answer {
			t.Errorf("%s: got %d %q, want %q", name, status, body, answer)
		}
	}
	if after := entries(); !after["app-0"].Equal(before["app-0"]) || !after["app-1"].Equal(before["app-1"]) {
		t.Error("an entry was made anew though its files are the same")
	}
	h.write("-- app-3/index.js --\nexport default { fetch: () => new Response(\"mended\") }\n")
	if failed := h.set.Refresh(t.Context(), h.config(), "file", "app-3").Failed; len(failed) > 0 {
		t.Error(failed)
	}
	if _, body := h.get("app-3", "/"); body != "mended" {
		t.Errorf("app-3 answers %q", body)
	}
}

// TestSleepAndWake wakes apps from the cache, and from memory where there is none. An
// exception is told in the source's own lines before and after.
func TestSleepAndWake(t *testing.T) {
	const archive = `
-- nano.toml --
[apps.test]
hosts = ["test"]
root = "test"
idle = "1s"
-- test/index.ts --
let n: number = 0

export default {
  fetch(r: Request) {
    if (r.url.endsWith("/throw")) throw new Error("no " + "way")
    return new Response("n " + ++n)
  },
}
`
	for _, c := range []struct {
		name   string
		change func(t *testing.T, h *host)
		cache  bool
	}{
		{"cache", func(*testing.T, *host) {}, true},
		{"cache lost", func(t *testing.T, h *host) {
			if err := os.Remove(filepath.Join(h.dir, "cache/apps/test.app")); err != nil {
				t.Fatal(err)
			}
		}, true},
		{"memory", func(*testing.T, *host) {}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := ""
			if c.cache {
				dir = t.TempDir()
			}
			h := cached(t, dir, archive)
			h.apply()
			for round := range 2 {
				for n := range 2 {
					if _, body := h.get("test", "/"); body != fmt.Sprint("n ", n+1) {
						t.Errorf("round %d: got %q", round, body)
					}
				}
				h.get("test", "/throw")
				await.That(t, "the exception is logged", func() bool {
					return strings.Count(h.log.String(), "index.ts:5") == round+1
				})
				await.That(t, "the app sleeps", func() bool { return h.state("test") == app.Sleeping })
				await.That(t, "its code is where it belongs", func() bool { return h.set.App("test").Forgotten() == c.cache })
				if round == 0 {
					c.change(t, h)
				}
			}
			if v := h.set.App("test").Info().Versions; len(v) != 1 {
				t.Errorf("versions %+v", v)
			}
		})
	}
}

// TestStopLoading ends what nobody waits for.
func TestStopLoading(t *testing.T) {
	h := cached(t, t.TempDir(), "-- nano.toml --\n[apps.test]\nhosts = [\"test\"]\nroot = \"test\"\n-- test/index.js --\nawait new Promise(() => {})\n")
	change := make(chan *app.Change, 1)
	cfg := h.config()
	go func() { change <- h.set.Apply(context.Background(), cfg, "test") }()
	time.AfterFunc(20*time.Millisecond, h.set.StopLoading)
	select {
	case c := <-change:
		if c.Failed["test"] == nil {
			t.Error("the app was loaded")
		}
	case <-time.After(await.Deadline):
		t.Fatal("it goes on")
	}
}

// TestStartOf300 measures how long the first answer of 300 apps takes, with an empty
// cache and with a full one, and what work that was.
func TestStartOf300(t *testing.T) {
	const apps = 300
	dir := t.TempDir()
	for _, temperature := range []string{"cold", "warm"} {
		h := cached(t, dir, map[string]string{"cold": some(apps)}[temperature])
		began := time.Now()
		h.begin()
		ready := time.Since(began)
		if status, body := h.get("app-150", "/x"); status != 200 || body != "150 /x" {
			t.Fatalf("got %d %q", status, body)
		}
		answered := time.Since(began)
		h.tried()
		t.Logf("%s cache: ready in %s, first answer in %s, all known in %s", temperature,
			ready.Round(100*time.Microsecond), answered.Round(100*time.Microsecond), time.Since(began).Round(time.Millisecond))
		for _, a := range h.set.Apps() {
			want := uint64(1)
			if temperature == "warm" && a.Name != "app-150" {
				want = 0
			}
			if n := a.Info().Stats.ColdStarts; n != want {
				t.Errorf("%s cache: %s was loaded %d times, want %d", temperature, a.Name, n, want)
			}
		}
	}
}

// TestMostAppsAsleep has many apps of which a few are in use cost what the few cost: in
// V8's heaps, but for a little in memory and at rest in processor time.
func TestMostAppsAsleep(t *testing.T) {
	const used = 20
	type cost struct{ heap, reserved, resident, cpu int64 }
	measure := func(apps int) cost {
		var toml strings.Builder
		for n := range apps {
			fmt.Fprintf(&toml, "[apps.app-%d]\nhosts = [\"app-%d\"]\nroot = \"app\"\n", n, n)
		}
		dir := t.TempDir()
		h := cached(t, dir, "-- nano.toml --\n"+toml.String()+"-- app/index.js --\nexport default { fetch: () => new Response(\"hello\") }\n")
		before := resident(t)
		var start runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&start)
		cfg := h.config()
		h.set.Seed(t, cfg)
		if failed := h.set.Begin(context.Background(), cfg, "start").Failed; len(failed) > 0 {
			t.Fatal(failed)
		}
		for n := range used {
			if _, body := h.get(fmt.Sprintf("app-%d", n), "/"); body != "hello" {
				t.Fatalf("got %q", body)
			}
		}
		h.tried()
		runtime.GC()
		var end runtime.MemStats
		runtime.ReadMemStats(&end)
		c := cost{
			heap: int64(end.HeapAlloc) - int64(start.HeapAlloc), reserved: h.set.Budget().Reserved, resident: resident(t) - before,
		}
		if n := h.set.Budget().Isolates; n != used {
			t.Errorf("%d apps: %d isolates", apps, n)
		}
		cpu := processTime(t)
		time.Sleep(2 * time.Second)
		c.cpu = processTime(t) - cpu
		runtime.KeepAlive(h)
		return c
	}
	few, many := measure(used), measure(manyApps)
	each := (many.heap - few.heap) / (manyApps - used)
	t.Logf("%d in use of %d: %d KiB of Go heap, %d KiB of V8's, %d KiB resident, %.2f %% of a core at rest", used, used, few.heap>>10, few.reserved>>10, few.resident>>10, float64(few.cpu)/2e7)
	t.Logf("%d in use of %d: %d KiB of Go heap, %d KiB of V8's, %d KiB resident, %.2f %% of a core at rest", used, manyApps, many.heap>>10, many.reserved>>10, many.resident>>10, float64(many.cpu)/2e7)
	t.Logf("an app that nobody asks for takes %d bytes", each)
	if each > mostAsleep {
		t.Errorf("an app that nobody asks for takes %d bytes, and may take %d", each, mostAsleep)
	}
	if many.reserved > few.reserved+few.reserved/4 {
		t.Errorf("V8's heaps take %d KiB, and %d KiB with the apps in use alone", many.reserved>>10, few.reserved>>10)
	}
	if more := many.cpu - few.cpu; more > 2e9/20 {
		t.Errorf("at rest they take %.1f %% of a core more", float64(more)/2e7)
	}
}

// processTime is what the process has taken of the processors, in ns.
func processTime(t testing.TB) int64 {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return u.Utime.Nano() + u.Stime.Nano()
}

// killStore tells the process that TestKillWrites kills where to write.
const killStore = "NANO_TEST_KILL_STORE"

// TestKillWrites kills processes while they write entries: what the next one finds is
// whole.
func TestKillWrites(t *testing.T) {
	dir := t.TempDir()
	found := 0
	for range 20 {
		cmd := exec.Command(os.Args[0], "-test.run=^TestKilledWriter$")
		cmd.Env = append(os.Environ(), killStore+"="+dir)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for n := 3 + rand.IntN(3); n > 0 && lines.Scan(); n-- {
		}
		time.Sleep(time.Duration(rand.IntN(2000)) * time.Microsecond)
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait() // it was killed
		found += app.WholeEntries(t, dir, "test")
	}
	if found < 20 {
		t.Errorf("%d entries were whole after 20 kills", found)
	}
}

// TestKilledWriter is the process that TestKillWrites kills.
func TestKilledWriter(t *testing.T) {
	if dir := os.Getenv(killStore); dir != "" {
		app.WriteForEver(dir, config.App{Name: "test", Root: "/r", Entry: "/r/e"}, func() { fmt.Println("written") })
	}
}
