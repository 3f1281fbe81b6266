package app

import (
	"slices"
	"testing"
	"time"

	"github.com/nano-runtime/nano/isolate"
)

// loss is a strike in a story: an isolate, a thread, or the process.
type loss struct {
	after   time.Duration // since the one before
	what    string
	version string
	want    time.Duration // the sentence
}

func TestQuarantine(t *testing.T) {
	many := func(n int, l loss) []loss { return slices.Repeat([]loss{l}, n) }
	isolateLost := loss{time.Second, "isolate", "v1", 0}
	for _, tc := range []struct {
		name  string
		story []loss
	}{
		{"ten isolates", append(many(9, isolateLost), loss{time.Second, "isolate", "v1", 5 * time.Second})},
		{"too slow", many(30, loss{7 * time.Second, "isolate", "v1", 0})},
		{"four threads", append(many(3, loss{time.Second, "thread", "v1", 0}), loss{time.Second, "thread", "v1", 5 * time.Second})},
		{"three crashes", append(many(2, loss{20 * time.Second, "process", "v1", 0}), loss{20 * time.Second, "process", "v1", 5 * time.Second})},
		{"crashes, too slow", many(10, loss{40 * time.Second, "process", "v1", 0})},
		{"two crashes and two isolates", append(append(many(2, loss{time.Second, "process", "v1", 0}), isolateLost), loss{time.Second, "isolate", "v1", 5 * time.Second})},
		{"longer each time", slices.Concat(
			many(3, loss{time.Second, "thread", "v1", 0}), many(1, loss{time.Second, "thread", "v1", 5 * time.Second}),
			[]loss{{6 * time.Second, "process", "v1", 10 * time.Second}, {11 * time.Second, "process", "v1", 20 * time.Second}},
		)},
		{"forgiven", slices.Concat(
			many(3, loss{time.Second, "thread", "v1", 0}), many(1, loss{time.Second, "thread", "v1", 5 * time.Second}),
			[]loss{{11 * time.Minute, "process", "v1", 0}},
		)},
		{"another version", slices.Concat(
			many(2, loss{time.Second, "process", "v1", 0}), many(2, loss{time.Second, "process", "v2", 0}),
			[]loss{{time.Second, "process", "v2", 5 * time.Second}},
		)},
		{"while it is out", slices.Concat(
			many(3, loss{time.Second, "thread", "v1", 0}), many(1, loss{time.Second, "thread", "v1", 5 * time.Second}),
			many(4, loss{time.Second, "thread", "v1", 0}),
		)},
	} {
		t.Run(tc.name, func(t *testing.T) {
			now := time.Unix(1700000000, 0)
			q := new(quarantine)
			for n, l := range tc.story {
				now = now.Add(l.after)
				var got time.Duration
				if l.what == "process" {
					// The next process begins a moment later.
					next, out := q.q.Crashed(isolate.Crash{At: now.Add(-time.Millisecond), Version: l.version}, now)
					q, got = new(quarantine), out
					q.resume(next, now)
				} else {
					got = q.strike(now, l.version, l.what == "thread")
				}
				if got != l.want {
					t.Fatalf("%d: a lost %s gives %s, want %s", n, l.what, got, l.want)
				}
				if got > 0 && q.left(now) != got {
					t.Errorf("%d: %s are left of %s", n, q.left(now), got)
				}
			}
		})
	}
}

func TestQuarantineOfAnEarlierProcess(t *testing.T) {
	now := time.Unix(1700000000, 0)
	served := Quarantine{Version: "v1", Until: now.Add(4 * time.Second), Sentence: 5 * time.Second}
	for _, tc := range []struct {
		name    string
		before  Quarantine
		version string // that the app is now
		left    time.Duration
		kept    bool // for the process after
	}{
		{"the same version", served, "v1", 4 * time.Second, true},
		{"another version", served, "v2", 0, false},
		{"over", Quarantine{Version: "v1", Until: now.Add(-time.Second), Sentence: 5 * time.Second}, "v1", 0, true},
		{"long over", Quarantine{Version: "v1", Until: now.Add(-time.Hour), Sentence: 5 * time.Second}, "v1", 0, false},
		{"strikes alone", Quarantine{Version: "v1", Strikes: []time.Time{now}}, "v1", 0, true},
		{"a clock gone wrong", Quarantine{Version: "v1", Until: now.Add(1000 * time.Hour), Sentence: 1000 * time.Hour}, "v1", longestBan, true},
		{"none", Quarantine{}, "v1", 0, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			q := new(quarantine)
			q.resume(tc.before, now)
			if got := q.concerns(tc.version, now); got != tc.left {
				t.Errorf("%s are left, want %s", got, tc.left)
			}
			if got := q.record(now); (got != nil) != tc.kept {
				t.Errorf("the next process gets %+v", got)
			}
		})
	}
}
