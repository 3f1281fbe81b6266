package isolate

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// The variables by which TestCrash tells the process that is to crash what to do.
const (
	crashHow  = "NANO_TEST_CRASH"
	crashFile = "NANO_TEST_CRASH_FILE"
)

// TestCrash ends processes by signals that nothing catches: where JavaScript ran on the
// thread, the file says whose.
func TestCrash(t *testing.T) {
	for _, tc := range []struct {
		how  string
		want []Crash
	}{
		{"in a run", []Crash{{App: "looper", Version: "f00", Request: "r?1"}}},
		{"in a timer", []Crash{{App: "looper", Version: "f00"}}},
		{"elsewhere", nil},
		{"caught", nil},
	} {
		t.Run(tc.how, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "crashes")
			cmd := exec.Command(os.Args[0], "-test.run=^TestCrashing$")
			cmd.Env = append(os.Environ(), crashHow+"="+tc.how, crashFile+"="+file)
			began := time.Now()
			out, err := cmd.CombinedOutput()
			var exit *exec.ExitError
			if crashed := errors.As(err, &exit) && strings.Contains(string(out), "SIGSEGV"); crashed == (tc.how == "caught") {
				t.Fatalf("it ended with %v:\n%s", err, out)
			}
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := ReadCrashes(string(text))
			for i := range got {
				if at := got[i].At; at.Before(began) || at.After(time.Now()) {
					t.Errorf("it crashed at %s", at)
				}
				got[i].At = time.Time{}
			}
			if !slices.Equal(got, tc.want) {
				t.Errorf("got %+v, want %+v of %q", got, tc.want, text)
			}
		})
	}
}

// TestCrashing is the process that TestCrash starts; by itself it does nothing.
func TestCrashing(t *testing.T) {
	how := os.Getenv(crashHow)
	if how == "" {
		return
	}
	h := newHarness(t)
	if err := RecordCrashes(os.Getenv(crashFile)); err != nil {
		t.Fatal(err)
	}
	switch how {
	case "caught":
		defer func() {
			if recover() == nil {
				t.Error("nothing was thrown")
			}
		}()
		var none *Isolate
		none.opts.App = "nobody"
	case "elsewhere":
		runtime.LockOSThread()
		segfault(t, unix.Gettid())
	default:
		code := `export default x => { for (;;); }`
		if how == "in a timer" {
			code = `export default x => { setTimeout(() => { for (;;); }, 1) }`
		}
		i := h.start(t, code)
		i.Mark(1<<20+7, "r 1")
		i.Send(InRequest, 1<<20+7)
		var loop slice
		var since time.Duration
		for range time.Tick(time.Millisecond) {
			run := i.cell.slice()
			if run.number != loop.number {
				loop, since = run, threadCPU(run.thread)
			}
			if run.number != 0 && threadCPU(run.thread)-since > 10*time.Millisecond {
				segfault(t, run.thread)
			}
		}
	}
}

// segfault sends the signal to a thread, and waits for the end.
func segfault(t *testing.T, thread int) {
	if err := unix.Tgkill(os.Getpid(), thread, unix.SIGSEGV); err != nil {
		t.Fatal(err)
	}
	select {}
}

func TestReadCrashes(t *testing.T) {
	got := ReadCrashes("1700000000000000001 a f00 req\nnonsense\n1 b - -\nx c f00 -\n2 d f00 -")
	want := []Crash{
		{At: time.Unix(1700000000, 1), App: "a", Version: "f00", Request: "req"},
		{At: time.Unix(0, 1), App: "b", Version: "-"},
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}
