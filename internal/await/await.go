// Package await is how the tests of all packages wait for what must come: for the event
// itself, and until a deadline. It has no part in the program.
package await

import (
	"bytes"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// Deadline is how long a test waits for what should take milliseconds, on a machine that
// has other work as well.
const Deadline = 2 * time.Minute

// That waits until is reports true. It calls it from the caller's goroutine, every few
// milliseconds, and ends the test after the deadline.
func That(t testing.TB, what string, is func() bool) {
	t.Helper()
	end := time.Now().Add(Deadline)
	for tick := time.NewTicker(5 * time.Millisecond); ; <-tick.C {
		if is() {
			tick.Stop()
			return
		}
		if time.Now().After(end) {
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

// Log keeps what is written to it, by any goroutine.
type Log struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *Log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *Log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// Contains reports whether text has been written.
func (l *Log) Contains(text string) bool {
	return strings.Contains(l.String(), text)
}

// Await waits for a line that holds all of words. It ends the test after the deadline.
func (l *Log) Await(t testing.TB, words ...string) {
	t.Helper()
	for end := time.Now().Add(Deadline); ; time.Sleep(5 * time.Millisecond) {
		for line := range strings.Lines(l.String()) {
			if !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(line, w) }) {
				return
			}
		}
		if time.Now().After(end) {
			t.Fatalf("no line with %q in\n%s", words, l)
		}
	}
}
