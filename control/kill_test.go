package control_test

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nano-runtime/nano/control"
	"github.com/nano-runtime/nano/internal/await"
)

// The variables by which TestKill tells the process that it kills what to do.
const (
	killDir  = "NANO_TEST_KILL_DIR"
	killFrom = "NANO_TEST_KILL_FROM"
)

// afterWrite is what the app answers after the n-th write: most put it there with the
// number n, and each fourth removes it.
func afterWrite(n int) string {
	if n%4 == 0 {
		return "404 no app has this host"
	}
	return fmt.Sprintf("200 three %d", n)
}

// TestKill kills a process a hundred times while it writes. The next one always serves
// what was there before the write that was under way or after it, and complains of
// nothing.
func TestKill(t *testing.T) {
	times := 100
	if testing.Short() {
		times = 15
	}
	w := &world{t: t, dir: t.TempDir(), log: new(await.Log)}
	w.write(files)
	known, midway := 0, 0
	for range times {
		known = killOnce(t, w.dir, known, &midway)
	}
	t.Logf("%d writes; %d of %d kills left a write that nobody was told of", known, midway, times)
}

// killOnce starts a process that goes on after write number known, kills it, and returns
// the number of the last write that it told of.
func killOnce(t *testing.T, dir string, known int, midway *int) int {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestKilled$")
	cmd.Env = append(os.Environ(), killDir+"="+dir, killFrom+"="+strconv.Itoa(known))
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	defer cmd.Process.Kill()
	lines := bufio.NewScanner(out)
	if !lines.Scan() {
		t.Fatal("the process said nothing")
	}
	found, ok := strings.CutPrefix(lines.Text(), "serves ")
	switch {
	case !ok:
		t.Fatalf("the process says %q\n%s", lines.Text(), drain(out))
	case found == afterWrite(known):
	case found == afterWrite(known+1):
		known++
		*midway++
	default:
		t.Fatalf("after write %d it serves %q, want %q or %q", known, found, afterWrite(known), afterWrite(known+1))
	}
	time.AfterFunc(time.Duration(rand.IntN(60000))*time.Microsecond, func() { _ = cmd.Process.Kill() })
	for lines.Scan() {
		n, err := strconv.Atoi(strings.TrimPrefix(lines.Text(), "wrote "))
		if err != nil {
			t.Fatalf("the process says %q\n%s", lines.Text(), drain(out))
		}
		known = n
	}
	return known
}

func drain(r io.Reader) []byte {
	b, _ := io.ReadAll(io.LimitReader(r, 1<<16)) // for a message
	return b
}

// TestKilled is the process that TestKill kills; by itself it does nothing.
func TestKilled(t *testing.T) {
	dir := os.Getenv(killDir)
	if dir == "" {
		return
	}
	n, err := strconv.Atoi(os.Getenv(killFrom))
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, dir: dir, log: new(await.Log)}
	w.open(false)
	w.c.Serving()
	if o := w.c.Last(); !o.OK() || strings.Contains(w.log.String(), "level=ERROR") || strings.Contains(w.log.String(), "level=WARN") {
		t.Fatalf("the start complains: %+v\n%s", o, w.log)
	}
	found := w.get("n.test")
	fmt.Println("serves " + found)
	if found != afterWrite(n) {
		n++
	}
	for {
		n++
		if n%4 == 0 {
			if _, _, err := w.c.Remove(t.Context(), "n", control.Expect{}, "test"); err != nil {
				t.Fatal(err)
			}
		} else {
			w.put(w.three("n", n))
		}
		fmt.Println("wrote " + strconv.Itoa(n))
	}
}
