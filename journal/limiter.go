package journal

import (
	"sync"
	"time"
)

// What an app may write: bursts of maxBurst lines, and lineRate a second over
// time. A KiB of text counts as another line.
const (
	lineRate = 100
	maxBurst = 2000
	// sayEvery is how often it is said how much was suppressed.
	sayEvery = 10 * time.Second
)

// Limiter keeps each app's console lines to a rate, and counts the others.
// Its methods may be called from any goroutine.
type Limiter struct {
	say func(app string, suppressed int, during time.Duration)

	mu   sync.Mutex // guards the field below
	apps map[string]*bucket
}

type bucket struct {
	tokens     float64
	filled     time.Time
	suppressed int
	since      time.Time   // of the first one suppressed
	timer      *time.Timer // runs while lines are suppressed
}

// NewLimiter makes a limiter that calls say from a goroutine of its own, for
// each app that has lines suppressed and at most every ten seconds.
func NewLimiter(say func(app string, suppressed int, during time.Duration)) *Limiter {
	return &Limiter{say: say, apps: make(map[string]*bucket)}
}

// Allow reports whether an app may write a line of size bytes now, and counts
// it if not.
func (l *Limiter) Allow(app string, size int) bool {
	now := time.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	b := l.apps[app]
	if b == nil {
		b = &bucket{tokens: maxBurst, filled: now}
		l.apps[app] = b
	}
	b.tokens = min(maxBurst, b.tokens+lineRate*now.Sub(b.filled).Seconds())
	b.filled = now
	// Never more than there can be: the longest line passes too.
	cost := min(maxBurst, 1+float64(size>>10))
	if b.tokens >= cost {
		b.tokens -= cost
		return true
	}
	b.suppressed++
	if b.timer == nil {
		b.since = now
		b.timer = time.AfterFunc(sayEvery, func() { l.report(app, b) })
	}
	return false
}

func (l *Limiter) report(app string, b *bucket) {
	now := time.Now()
	l.mu.Lock()
	lines, during := b.suppressed, now.Sub(b.since)
	b.suppressed, b.timer = 0, nil
	l.mu.Unlock()
	if lines > 0 {
		l.say(app, lines, during)
	}
}

// flush reports what hasn't been said yet.
func (l *Limiter) flush() {
	l.mu.Lock()
	pending := make(map[string]*bucket)
	for app, b := range l.apps {
		if b.timer != nil && b.timer.Stop() {
			pending[app] = b
		}
	}
	l.mu.Unlock()
	for app, b := range pending {
		l.report(app, b)
	}
}

func (l *Limiter) forget(app string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if b := l.apps[app]; b != nil && b.timer == nil {
		delete(l.apps, app)
	}
}
