//go:build chaos

package chaos

import (
	"context"
	"flag"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

var allFlag = flag.Duration("all", 20*time.Second, "for how long all hostile apps run at once")

// TestAll sets all hostile apps on one daemon at once, and has it reloaded meanwhile.
func TestAll(t *testing.T) {
	names := hostile(t)
	s := serve(t, names...)
	l := good(s)
	before, err := s.shape()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), *allFlag)
	defer cancel()
	all := make([]outcomes, len(names))
	var wg sync.WaitGroup
	for i, name := range names {
		wg.Go(func() { all[i].hit(ctx, s, name, 1) })
	}
	reloads := 0
	for tick := time.NewTicker(*allFlag / 4); ctx.Err() == nil; {
		select {
		case <-tick.C:
			s.reload()
			reloads++
		case <-ctx.Done():
			tick.Stop()
		}
	}
	wg.Wait()
	n, p99 := l.end(t)
	if t.Failed() {
		t.Log(s.said("app=victim"))
	}
	after, err := s.shape()
	if err != nil {
		t.Fatalf("at the end no generation answers: %v\n%s", err, s.tail())
	}
	for i := range all {
		all[i].check(t)
		t.Logf("%-28s %s", names[i], &all[i])
	}
	t.Logf("good: %d requests, p99 %s; %d reloads; healed %v; %d MiB more; %d threads lost", n, p99, reloads, after.pid != before.pid, (after.resident-before.resident)>>20, after.lost)
}

// reload asks for a new generation.
func (s *server) reload() {
	if st, err := s.status(); err == nil {
		s.signal(st.PID, syscall.SIGHUP)
	}
}

// said is what the daemon's log says with those words: the first lines of that.
func (s *server) said(words string) string {
	text, err := os.ReadFile(s.log)
	if err != nil {
		return err.Error()
	}
	var b strings.Builder
	for line := range strings.Lines(string(text)) {
		if strings.Contains(line, words) && b.Len() < 10_000 {
			b.WriteString(line)
		}
	}
	return b.String()
}
