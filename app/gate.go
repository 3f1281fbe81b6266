package app

import (
	"context"
	"sync"
	"time"
)

// queueWait is how long a request waits for its turn in a busy app at the most.
const queueWait = time.Second

// gate bounds how many requests are in an app at once. A few more wait in line, in
// the order in which they came; the rest is turned away.
type gate struct {
	mu       sync.Mutex // guards the fields below
	limit    int
	inFlight int
	line     []chan struct{}
}

// room is how many may wait.
func (g *gate) room() int { return g.limit/4 + 8 }

// enter waits for a place, and reports whether it got one. ctx is only asked for where
// it has to wait.
func (g *gate) enter(ctx func() context.Context) bool {
	g.mu.Lock()
	if g.inFlight < g.limit {
		g.inFlight++
		g.mu.Unlock()
		return true
	}
	if len(g.line) >= g.room() {
		g.mu.Unlock()
		return false
	}
	turn := make(chan struct{})
	g.line = append(g.line, turn)
	g.mu.Unlock()
	patience := time.NewTimer(queueWait)
	defer patience.Stop()
	select {
	case <-turn:
		return true
	case <-patience.C:
	case <-ctx().Done():
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	for i, t := range g.line {
		if t == turn {
			g.line = append(g.line[:i], g.line[i+1:]...)
			return false
		}
	}
	return true // the turn came meanwhile
}

// leave gives the place to the first in line.
func (g *gate) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.inFlight--
	g.admit()
}

// resize changes the limit; those inside stay.
func (g *gate) resize(limit int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.limit = limit
	g.admit()
}

func (g *gate) admit() {
	for g.inFlight < g.limit && len(g.line) > 0 {
		close(g.line[0])
		g.line = g.line[1:]
		g.inFlight++
	}
}

// count is how many are inside and how many wait.
func (g *gate) count() (inside, waiting int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.inFlight, len(g.line)
}
