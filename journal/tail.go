package journal

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// How much is kept of each app: the last maxLines, as far as they take no
// more than maxBytes.
const (
	maxLines = 1000
	maxBytes = 128 << 10
)

// Line is a log line of an app, as those who follow it get it.
type Line struct {
	Time      time.Time  `json:"time"`
	Level     slog.Level `json:"level"`
	RequestID string     `json:"request_id,omitempty"`
	Text      string     `json:"text"`
	Detail    string     `json:"detail,omitempty"` // the other attributes, as key=value
	Lost      int        `json:"lost,omitempty"`   // if not 0, there are no lines but this many that the follower was too slow for
}

func (l Line) size() int {
	const overhead = 96
	return overhead + len(l.RequestID) + len(l.Text) + len(l.Detail)
}

// A ring holds the last lines of an app, which have consecutive numbers.
type ring struct {
	mu     sync.Mutex // guards the fields below
	lines  []Line
	first  int // number of lines[0]
	bytes  int
	wake   chan struct{} // closed and made anew for the next line, if somebody waits
	follow int           // how many follow
}

func (j *Journal) ring(app string) *ring {
	j.mu.Lock()
	defer j.mu.Unlock()
	r := j.rings[app]
	if r == nil {
		r = new(ring)
		j.rings[app] = r
	}
	return r
}

func (r *ring) add(l Line) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lines = append(r.lines, l)
	r.bytes += l.size()
	for len(r.lines) > maxLines || r.bytes > maxBytes && len(r.lines) > 1 {
		r.bytes -= r.lines[0].size()
		r.lines[0] = Line{}
		r.lines = r.lines[1:]
		r.first++
	}
	if r.wake != nil {
		close(r.wake)
		r.wake = nil
	}
}

// forget drops the lines, and reports whether nobody follows.
func (r *ring) forget() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.first += len(r.lines)
	r.lines, r.bytes = nil, 0
	return r.follow == 0
}

// A Tail follows the lines of one app. It is for one goroutine.
type Tail struct {
	ring *ring
	next int // number of the next line
}

// Recent returns an app's last n lines, or as many as are kept.
func (j *Journal) Recent(app string, n int) []Line {
	j.mu.Lock()
	r := j.rings[app]
	j.mu.Unlock()
	if r == nil {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]Line(nil), r.lines[max(0, len(r.lines)-n):]...)
}

// Follow starts with an app's last n lines and goes on with those to come.
// The app needn't exist yet. Close the Tail.
func (j *Journal) Follow(app string, n int) *Tail {
	j.mu.Lock()
	r := j.rings[app]
	if r == nil {
		r = new(ring)
		j.rings[app] = r
	}
	r.mu.Lock() // the order is Journal.mu, then ring.mu
	j.mu.Unlock()
	defer r.mu.Unlock()
	r.follow++
	return &Tail{ring: r, next: r.first + max(0, len(r.lines)-n)}
}

// Next waits for the next line, or until ctx is done. One who comes too late
// is told how many lines are lost.
func (t *Tail) Next(ctx context.Context) (Line, error) {
	for {
		r := t.ring
		r.mu.Lock()
		if lost := r.first - t.next; lost > 0 {
			t.next = r.first
			r.mu.Unlock()
			return Line{Time: time.Now(), Level: slog.LevelWarn, Lost: lost}, nil
		}
		if i := t.next - r.first; i < len(r.lines) {
			l := r.lines[i]
			t.next++
			r.mu.Unlock()
			return l, nil
		}
		if r.wake == nil {
			r.wake = make(chan struct{})
		}
		wake := r.wake
		r.mu.Unlock()
		select {
		case <-wake:
		case <-ctx.Done():
			return Line{}, ctx.Err()
		}
	}
}

// Close ends following.
func (t *Tail) Close() {
	t.ring.mu.Lock()
	defer t.ring.mu.Unlock()
	t.ring.follow--
}
