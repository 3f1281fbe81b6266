package app

import (
	"sync"
	"time"
)

const (
	// strikesAllowed is how many isolates an app may lose in strikeWindow. One that
	// cost the process a thread counts as three.
	strikesAllowed = 10
	strikeWindow   = time.Minute
	firstSentence  = 5 * time.Second
	longestBan     = 10 * time.Minute
)

// quarantine keeps requests from an app that goes on losing isolates: for longer each
// time, until it has behaved for a while or somebody changes it.
type quarantine struct {
	mu       sync.Mutex // guards the fields below
	strikes  []time.Time
	until    time.Time
	sentence time.Duration
}

// strike notes a loss at now, and says for how long the app is out if that is new.
func (q *quarantine) strike(now time.Time, thread bool) time.Duration {
	q.mu.Lock()
	defer q.mu.Unlock()
	weight := 1
	if thread {
		weight = 3
	}
	for range weight {
		q.strikes = append(q.strikes, now)
	}
	for len(q.strikes) > 0 && now.Sub(q.strikes[0]) > strikeWindow {
		q.strikes = q.strikes[1:]
	}
	if len(q.strikes) < strikesAllowed || now.Before(q.until) {
		return 0
	}
	if now.Sub(q.until) > longestBan {
		q.sentence = 0
	}
	q.sentence = min(max(firstSentence, q.sentence*2), longestBan)
	q.until = now.Add(q.sentence)
	q.strikes = q.strikes[:0]
	return q.sentence
}

// left is for how long the app is still out; 0: it is not.
func (q *quarantine) left(now time.Time) time.Duration {
	q.mu.Lock()
	defer q.mu.Unlock()
	return max(q.until.Sub(now), 0)
}

// lift ends the quarantine and forgets what led to it.
func (q *quarantine) lift() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.strikes, q.until, q.sentence = nil, time.Time{}, 0
}
