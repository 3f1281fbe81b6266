package isolate

import (
	"testing"
	"time"
)

// TestStuck tells a run that waits for ever from one that takes long, and from one that
// was paused.
func TestStuck(t *testing.T) {
	type look struct{ after, spent, since time.Duration }
	for _, tc := range []struct {
		name  string
		looks []look
		want  bool
	}{
		{"it works", []look{{0, 0, 0}, {10 * time.Second, 9 * time.Second, 10 * time.Second}, {20 * time.Second, 18 * time.Second, 30 * time.Second}}, false},
		{"it works on a busy machine", []look{{0, 0, 0}, {14 * time.Second, time.Millisecond, 14 * time.Second}, {14 * time.Second, 2 * time.Millisecond, 28 * time.Second}}, false},
		{"it waits from the beginning", []look{{0, 0, 0}, {16 * time.Second, 0, 16 * time.Second}}, true},
		{"it waits after a while", []look{{0, 0, 0}, {5 * time.Second, 5 * time.Second, 5 * time.Second}, {16 * time.Second, 5 * time.Second, 21 * time.Second}}, true},
		{"it was paused", []look{{0, 0, 0}, {30 * time.Second, 0, time.Second}}, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var w watch
			now, got := time.Now(), false
			for _, l := range tc.looks {
				now = now.Add(l.after)
				got = w.isStuck(l.spent, l.since, now)
			}
			if got != tc.want {
				t.Errorf("got %v", got)
			}
		})
	}
}
