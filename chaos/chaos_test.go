package chaos

import (
	"context"
	"flag"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var (
	eachFlag = flag.Bool("each", false, "set every hostile app on a daemon of its own, not just a few")
	hitFlag  = flag.Duration("hit", 1200*time.Millisecond, "for how long each hostile app is asked for something")
)

const (
	// spare is how much more memory a process may have after a hostile app, in bytes.
	spare = 64 << 20
	// spareThreads is how many more threads Go may keep: it never ends those that it
	// once needed.
	spareThreads = 24
	// spareGoroutines are those of connections and watches that come and go.
	spareGoroutines = 20
	// parallel is how many clients each hostile app has.
	parallel = 8
)

// hostile are the names of all hostile apps.
func hostile(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("apps/*.js")
	if err != nil || len(files) < 60 {
		t.Fatalf("%d hostile apps: %v", len(files), err)
	}
	for i, f := range files {
		files[i] = strings.TrimSuffix(filepath.Base(f), ".js")
	}
	return files
}

// few are those that go test always sets on a daemon: one of each way to be lost.
var few = []string{
	"memory-array-fill", "memory-optimised-loop", "memory-buffers", "memory-wasm",
	"memory-clone-error", "cpu-loop-finally", "cpu-atomics-wait", "cpu-builtin-long", "cpu-digests",
	"growth-stream", "growth-log", "escape-globals", "escape-import", "escape-values", "escape-network",
}

// TestEach sets each hostile app on a daemon of its own, with eight clients, while the
// good apps serve; then the process must be what it was before, or a new generation.
func TestEach(t *testing.T) {
	names := few
	if *eachFlag {
		names = hostile(t)
	}
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			s := serve(t, name)
			l := good(s)
			time.Sleep(200 * time.Millisecond) // what the good apps need, they have then
			before, err := s.shape()
			if err != nil {
				t.Fatal(err)
			}
			var o outcomes
			ctx, cancel := context.WithTimeout(context.Background(), *hitFlag)
			o.hit(ctx, s, name, parallel)
			cancel()
			after := s.recovered(before)
			n, p99 := l.end(t)
			o.check(t)
			t.Logf("%-28s %s | good: %d requests, p99 %s | threads lost %d, healed %v, memory %+d MiB, threads %+d, goroutines %+d", name, &o, n, p99.Round(100*time.Microsecond),
				after.lost, after.pid != before.pid, (after.resident-before.resident)>>20, after.threads-before.threads, after.goroutines-before.goroutines)
		})
	}
}

// recovered waits until the daemon is no more than it was before.
func (s *server) recovered(before shape) (now shape) {
	s.t.Helper()
	s.until("the daemon recovers", 20*time.Second, func() (err error) {
		if now, err = s.shape(); err != nil {
			return err
		}
		if n := (now.resident - before.resident) >> 20; n > spare>>20 {
			return fmt.Errorf("it holds %d MiB more (threads lost: %d)", n, now.lost)
		}
		if n := now.threads - before.threads - now.lost; n > spareThreads {
			return fmt.Errorf("it has %d threads more", n)
		}
		if n := now.goroutines - before.goroutines - now.lost; n > spareGoroutines {
			return fmt.Errorf("it has %d goroutines more", n)
		}
		return nil
	})
	return now
}
