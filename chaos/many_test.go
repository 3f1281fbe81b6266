package chaos

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestMany is TestManyMore with as many apps as any machine can have in a moment.
func TestMany(t *testing.T) { many(t, 8, 300) }

// many has some apps fill what they may hold, and then a lot of small ones asked for in
// turn. The process stays, and one small app answers throughout.
func many(t *testing.T, big, tiny int) {
	var apps strings.Builder
	apps.WriteString("[apps.small]\nhosts = [\"small.test\"]\nroot = \"small\"\n")
	for n := range big {
		fmt.Fprintf(&apps, "[apps.big%d]\nhosts = [\"big%d.test\"]\nroot = \"big\"\nlimits = { memory = \"128MiB\", cpu = \"10s\" }\n", n, n)
	}
	for n := range tiny {
		fmt.Fprintf(&apps, "[apps.tiny%d]\nhosts = [\"tiny%d.test\"]\nroot = \"tiny\"\n", n, n)
	}
	s := prepare(t, apps.String(), map[string]string{
		"small/index.js": `export default { fetch: () => new Response("small") }`,
		"tiny/index.js":  `let requests = 0; export default { fetch: () => new Response("tiny " + ++requests) }`,
		"big/index.js": `
const kept = [];
export default { async fetch() {
  while (kept.length < 50) kept.push(new Array(1 << 18).fill(0.5 + kept.length));
  await new Promise((r) => setTimeout(r, 3000)); // who works can't be put to sleep
  return new Response("big");
} };
`,
	})
	s.start()
	t.Cleanup(s.stop)
	before, err := s.status()
	if err != nil {
		t.Fatal(err)
	}

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var steady sync.WaitGroup
	var took []time.Duration
	steady.Go(func() {
		tr := &http.Transport{}
		defer tr.CloseIdleConnections()
		c := &http.Client{Transport: tr, Timeout: 20 * time.Second}
		for ctx.Err() == nil {
			began := time.Now()
			if status, err := s.get(t.Context(), c, "small"); status != 200 {
				t.Errorf("small: %d %v", status, err)
			}
			took = append(took, time.Since(began))
			time.Sleep(5 * time.Millisecond)
		}
	})
	filled := s.each("big", big, big)
	full, err := s.status()
	if err != nil {
		t.Fatalf("%v\n%s", err, s.tail())
	}
	asked := s.each("tiny", tiny, 4)
	cancel()
	steady.Wait()

	slices.Sort(took)
	t.Logf("%d big: %v; budget %d of %d MiB, %d isolates", big, filled, full.Budget.Heap>>20, full.Budget.MaxHeap>>20, full.Budget.Isolates)
	after, err := s.status()
	if err != nil {
		t.Fatalf("%v\n%s", err, s.tail())
	}
	t.Logf("%d tiny: %v; budget %d MiB, %d of %d isolates; %d MiB resident", tiny, asked, after.Budget.Heap>>20, after.Budget.Isolates, after.Budget.MaxIsolates, after.Resident>>20)
	t.Logf("small: %d requests, p99 %s, at most %s", len(took), took[len(took)*99/100].Round(100*time.Microsecond), took[len(took)-1].Round(100*time.Microsecond))
	for what, got := range map[string]map[int]int{"big": filled, "tiny": asked} {
		for status, n := range got {
			if status != 200 && status != 503 {
				t.Errorf("%d requests to %s apps ended with %d", n, what, status)
			}
		}
	}
	if asked[200] < tiny*9/10 {
		t.Errorf("%d of %d small apps answered", asked[200], tiny)
	}
	if after.PID != before.PID || after.LostThreads > 0 {
		t.Errorf("process %d became %d, and has lost %d threads\n%s", before.PID, after.PID, after.LostThreads, s.lines("isolate lost", "generation", "quarantine"))
	}
	if full.Budget.Heap > full.Budget.MaxHeap || after.Budget.Isolates > after.Budget.MaxIsolates {
		t.Errorf("the budget was exceeded: %+v, %+v", full.Budget, after.Budget)
	}
}

// each asks every app of a kind for something once, some at a time, and counts what they
// answer; 0 is no answer.
func (s *server) each(kind string, apps, parallel int) map[int]int {
	var mu sync.Mutex
	got := make(map[int]int)
	var all sync.WaitGroup
	for part := range parallel {
		all.Go(func() {
			tr := &http.Transport{}
			defer tr.CloseIdleConnections()
			c := &http.Client{Transport: tr, Timeout: 60 * time.Second}
			for n := part; n < apps; n += parallel {
				status, err := s.get(context.Background(), c, fmt.Sprint(kind, n))
				if err != nil {
					status = 0
				}
				mu.Lock()
				got[status]++
				mu.Unlock()
			}
		})
	}
	all.Wait()
	return got
}

// lines are those of the daemon's log that have one of some texts in them.
func (s *server) lines(texts ...string) string {
	log, err := os.ReadFile(s.log)
	if err != nil {
		return err.Error()
	}
	var b strings.Builder
	for line := range strings.Lines(string(log)) {
		if slices.ContainsFunc(texts, func(text string) bool { return strings.Contains(line, text) }) {
			b.WriteString(line)
		}
	}
	return b.String()
}
