package app

import (
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/nano-runtime/nano/isolate"
)

const (
	// strikesAllowed is how many isolates an app may lose in strikeWindow. One that cost
	// the process a thread counts as three, and one that cost it the process as four.
	strikesAllowed = 10
	threadStrikes  = 3
	crashStrikes   = 4
	strikeWindow   = time.Minute
	firstSentence  = 5 * time.Second
	longestBan     = 10 * time.Minute
)

// errQuarantined is why an app is not tried for now.
var errQuarantined = errors.New("it is in quarantine")

// Quarantine is what the losses of an app have come to, as the next process should know.
type Quarantine struct {
	Version  string        `json:"version"` // whose losses they are, by its hash
	Strikes  []time.Time   `json:"strikes,omitempty"`
	Until    time.Time     `json:"until,omitzero"`
	Sentence time.Duration `json:"sentence_ns,omitempty"` // the last one's
}

// Crashed is q after a crash of an earlier process in which the app ran, and for how long
// that keeps requests from it from now on; 0: it doesn't, or did before. An app that was
// in quarantine lately is back there with the first crash.
func (q Quarantine) Crashed(c isolate.Crash, now time.Time) (Quarantine, time.Duration) {
	q.Strikes = slices.Clone(q.Strikes)
	weight := crashStrikes
	if q.lately(now) {
		weight = strikesAllowed
	}
	return q, q.strike(c.At, now, c.Version, weight)
}

// lately reports whether the last sentence still counts.
func (q *Quarantine) lately(now time.Time) bool {
	return q.Sentence > 0 && now.Sub(q.Until) <= longestBan
}

// strike notes a loss, and says for how long the app is out from now on, if that is new.
func (q *Quarantine) strike(at, now time.Time, version string, weight int) time.Duration {
	if q.Version != version {
		*q = Quarantine{Version: version}
	}
	for range weight {
		q.Strikes = append(q.Strikes, at)
	}
	for len(q.Strikes) > 0 && now.Sub(q.Strikes[0]) > strikeWindow {
		q.Strikes = q.Strikes[1:]
	}
	if len(q.Strikes) < strikesAllowed || now.Before(q.Until) {
		return 0
	}
	if !q.lately(now) {
		q.Sentence = 0
	}
	q.Sentence = min(max(firstSentence, q.Sentence*2), longestBan)
	q.Until = now.Add(q.Sentence)
	q.Strikes = q.Strikes[:0]
	return q.Sentence
}

// quarantine keeps requests from an app that goes on losing isolates: for longer each
// time, until it has behaved for a while or somebody changes it.
type quarantine struct {
	mu sync.Mutex // guards the field below
	q  Quarantine
}

// resume goes on where an earlier process was.
func (q *quarantine) resume(before Quarantine, now time.Time) {
	// A clock that was wrong must not keep an app out for ever.
	if latest := now.Add(longestBan); before.Until.After(latest) {
		before.Until = latest
	}
	before.Sentence = min(max(before.Sentence, 0), longestBan)
	before.Strikes = slices.Clone(before.Strikes)
	q.mu.Lock()
	defer q.mu.Unlock()
	q.q = before
}

// strike notes a loss of a version at now, and says for how long the app is out if that
// is new.
func (q *quarantine) strike(now time.Time, version string, thread bool) time.Duration {
	weight := 1
	if thread {
		weight = threadStrikes
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.q.strike(now, now, version, weight)
}

// left is for how long the app is still out; 0: it is not.
func (q *quarantine) left(now time.Time) time.Duration {
	q.mu.Lock()
	defer q.mu.Unlock()
	return max(q.q.Until.Sub(now), 0)
}

// concerns is left for the version that the app turns out to be. What another one has
// done is forgotten.
func (q *quarantine) concerns(version string, now time.Time) time.Duration {
	q.mu.Lock()
	if q.q.Version != version {
		q.q = Quarantine{}
	}
	q.mu.Unlock()
	return q.left(now)
}

// lift ends the quarantine and forgets what led to it.
func (q *quarantine) lift() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.q = Quarantine{}
}

// record is what the next process should know; nil: nothing.
func (q *quarantine) record(now time.Time) *Quarantine {
	q.mu.Lock()
	defer q.mu.Unlock()
	r := q.q
	r.Strikes = slices.Clone(r.Strikes)
	if len(r.Strikes) == 0 && !r.lately(now) {
		return nil
	}
	return &r
}
