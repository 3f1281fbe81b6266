package bundle

import (
	"bufio"
	"bytes"
	"context"
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nano-runtime/nano/internal/await"
)

func apart(ctx context.Context, o Options) (*Bundle, error) {
	return BuildApart(ctx, []string{bundlerName}, o)
}

// TestApartIsTheSame bundles in both ways what the other tests do, and fails in both ways.
func TestApartIsTheSame(t *testing.T) {
	for _, path := range append(archives(t, "testdata/run/*.txtar"), archives(t, "testdata/errors/*.txtar")...) {
		t.Run(filepath.Base(path), func(t *testing.T) {
			t.Parallel()
			_, o := project(t, load(t, path))
			time.Sleep(2 * tick) // or neither leaves a trail
			want, wantErr := Build(t.Context(), o)
			got, err := apart(t.Context(), o)
			if !reflect.DeepEqual(err, wantErr) {
				t.Fatalf("got the error %#v, want %#v", err, wantErr)
			}
			if err != nil {
				return
			}
			if !bytes.Equal(got.Code, want.Code) || !bytes.Equal(got.DeflatedMap(), want.DeflatedMap()) {
				t.Error("the script or its map is another one")
			}
			for _, b := range []*Bundle{got, want} {
				b.Code, b.sourceMap.deflated = nil, nil
			}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("got %+v, want %+v", got, want)
			}
		})
	}
	o := Options{Root: filepath.Join(t.TempDir(), "gone"), Entry: "index.js"}
	_, want := Build(t.Context(), o)
	if _, err := apart(t.Context(), o); err == nil || err.Error() != want.Error() {
		t.Errorf("got the error %v, want %v", err, want)
	}
}

// trap is an app, and a file that esbuild reads for it and nothing looks at before.
type trap struct{ name, files, path string }

const withLib = `
app index.js
-- app/index.js --
import dep from "dep"
export default dep
-- app/node_modules/dep/package.json --
{ "main": "lib" }
-- app/node_modules/dep/lib/index.js --
export default 1
`

var traps = []trap{
	{"Yarn's settings", withLib, "app/.pnp.cjs"},
	{"a package's folder", withLib, "app/node_modules/dep/lib/package.json"},
}

// set puts what hangs or doesn't end where the trap says.
func (tr trap) set(t *testing.T, put func(path string) error) Options {
	t.Helper()
	dir, o := source(t, strings.TrimPrefix(tr.files, "\n"))
	if err := put(filepath.Join(dir, tr.path)); err != nil {
		t.Fatal(err)
	}
	return o
}

func fifo(path string) error { return syscall.Mkfifo(path, 0o644) }

// TestApartEnds has esbuild wait for files that nobody writes: each build ends in time,
// and none keeps a later one from anything.
func TestApartEnds(t *testing.T) {
	for _, tr := range traps {
		t.Run(tr.name, func(t *testing.T) {
			o := tr.set(t, fifo)
			const builds = 40
			errs := make(chan error, builds)
			for range builds / 8 {
				for range 8 {
					go func() {
						ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
						defer cancel()
						_, err := apart(ctx, o)
						errs <- err
					}()
				}
				for range 8 {
					if err := <-errs; !errors.Is(err, context.DeadlineExceeded) {
						t.Errorf("got %v, want the deadline's error", err)
					}
				}
			}
		})
	}
	_, o := source(t, strings.TrimPrefix(withLib, "\n"))
	for _, build := range []func(context.Context, Options) (*Bundle, error){apart, Build} {
		if _, err := build(t.Context(), o); err != nil {
			t.Errorf("after them: %v", err)
		}
	}
}

// TestApartHasABound has esbuild read a file that never ends.
func TestApartHasABound(t *testing.T) {
	for _, tr := range traps {
		t.Run(tr.name, func(t *testing.T) {
			o := tr.set(t, func(path string) error { return os.Symlink("/dev/zero", path) })
			o.Memory = 256 << 20
			_, err := apart(t.Context(), o)
			if want := "cannot bundle: it took more than 256 MiB of memory"; err == nil || !strings.HasPrefix(err.Error(), want) {
				t.Errorf("got %v, want %s", err, want)
			}
		})
	}
}

// TestApartTellsItsEnd kills bundlers, and starts what is none.
func TestApartTellsItsEnd(t *testing.T) {
	o := traps[0].set(t, fifo)
	done := make(chan error, 1)
	go func() {
		_, err := apart(t.Context(), o)
		done <- err
	}()
	pid := 0
	await.That(t, "a bundler", func() bool { pid = bundlerOf(t, os.Getpid()); return pid != 0 })
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if err, want := <-done, "cannot bundle: the bundler ended unexpectedly: signal: killed"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	_, err := BuildApart(t.Context(), []string{"tests", "-no-such-flag"}, o)
	if want := "cannot bundle: the bundler ended unexpectedly: exit status 2\n"; err == nil || !strings.HasPrefix(err.Error(), want) || !strings.Contains(err.Error(), "-no-such-flag") {
		t.Errorf("got %v, want %s and what it said", err, want)
	}
}

// TestAnswersHaveABound has a bundler answer with more than there may be.
func TestAnswersHaveABound(t *testing.T) {
	for _, r := range []reply{{Code: maxReply + 1}, {Code: 1, Map: 1 << 50}, {Code: -1}, {Map: maxReply}} {
		var head bytes.Buffer
		if err := gob.NewEncoder(&head).Encode(r); err != nil {
			t.Fatal(err)
		}
		if _, err := receive(io.MultiReader(&head, endless{})); !errors.Is(err, errTooLarge) {
			t.Errorf("%+v: got %v", r, err)
		}
	}
}

type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }

// bundlerOf is the process id of a bundler that the process has started, or 0.
func bundlerOf(t *testing.T, parent int) int {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range files {
		line, err := os.ReadFile(path)
		if err != nil || string(line) != bundlerName+"\x00" {
			continue
		}
		stat, err := os.ReadFile(filepath.Join(filepath.Dir(path), "stat"))
		if err != nil {
			continue // it has ended
		}
		_, after, _ := strings.Cut(string(stat), ") ")
		if fields := strings.Fields(after); len(fields) > 1 && fields[1] == strconv.Itoa(parent) {
			pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path)))
			if err != nil {
				t.Fatal(err)
			}
			return pid
		}
	}
	return 0
}

// TestBundlerEndsWithItsParent closes what a parent that has died closes.
func TestBundlerEndsWithItsParent(t *testing.T) {
	o := traps[0].set(t, fifo)
	o.Memory = 256 << 20
	cmd := exec.CommandContext(t.Context(), "/proc/self/exe")
	cmd.Args = []string{bundlerName}
	stdin, err := cmd.StdinPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := gob.NewEncoder(stdin).Encode(o); err != nil {
		t.Fatal(err)
	}
	var writer *os.File // esbuild has opened the FIFO as soon as this can be, and reads until it is closed
	await.That(t, "a build that hangs", func() bool {
		writer, err = os.OpenFile(filepath.Join(o.Root, ".pnp.cjs"), os.O_WRONLY|syscall.O_NONBLOCK, 0)
		return err == nil
	})
	defer writer.Close()
	stdin.Close()
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	select {
	case err := <-ended:
		if err == nil {
			t.Error("it reports success")
		}
	case <-time.After(time.Minute):
		t.Error("it goes on")
	}
}

// TestBundlerKnowsNothing looks at a bundler from outside: it has no environment, no
// other files than its own, and the kernel takes it first.
func TestBundlerKnowsNothing(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", "/nowhere")
	t.Setenv("CREDENTIALS_DIRECTORY", "/nowhere")
	t.Setenv("GOMAXPROCS", "3")
	o := traps[0].set(t, fifo)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		_, err := apart(ctx, o)
		done <- err
	}()
	defer func() {
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want context.Canceled", err)
		}
	}()
	var pid int
	await.That(t, "a bundler with a bound", func() bool {
		pid = bundlerOf(t, os.Getpid())
		score, err := os.ReadFile(fmt.Sprintf("/proc/%d/oom_score_adj", pid))
		return err == nil && string(score) == "1000\n" && bounded(pid)
	})
	if env, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid)); err != nil || string(env) != "GOMAXPROCS=3\x00" {
		t.Errorf("its environment is %q, error %v", env, err)
	}
}

// bounded reports whether a process has a bound of its data.
func bounded(pid int) bool {
	f, err := os.Open(fmt.Sprintf("/proc/%d/limits", pid))
	if err != nil {
		return false
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if strings.HasPrefix(lines.Text(), "Max data size") {
			return !strings.Contains(lines.Text(), "unlimited")
		}
	}
	return false
}
