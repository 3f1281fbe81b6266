package app

import (
	"cmp"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/nano-runtime/nano/isolate"
)

// The isolates of all apps share one budget (isolate.Budget). Long before it is used
// up, apps that rest go to sleep; if that is not enough, those that hold the most give
// way. What is left over is for what grows meanwhile.
const (
	budgetNear = 0.75 // of the budget: from here on resting apps go to sleep
	budgetFull = 0.9  // from here on the largest apps give way
	// budgetEvery is how often the set looks.
	budgetEvery = 50 * time.Millisecond
)

// Budget is what the isolates of all apps share, and what is used of it.
func (s *Set) Budget() isolate.Budget { return s.scheduler.Budget() }

// keepRoom looks at the budget until the set is closed.
func (s *Set) keepRoom() {
	tick := time.NewTicker(budgetEvery)
	defer tick.Stop()
	for {
		select {
		case <-s.stop:
			return
		case <-tick.C:
			s.makeRoom()
		}
	}
}

// makeRoom takes isolates away until there is room for new ones.
func (s *Set) makeRoom() {
	if s.Budget().Used() < budgetNear || !s.making.TryLock() {
		return
	}
	defer s.making.Unlock()
	used := s.Budget()
	var rs []*release
	for _, a := range *s.apps.Load() {
		if r := a.current.Load(); r != nil && len(*r.workers.Load()) > 0 {
			rs = append(rs, r)
		}
	}
	// Those that nobody has asked for longest come first.
	slices.SortFunc(rs, func(a, b *release) int {
		return cmp.Compare(a.app.stats.last.Load(), b.app.stats.last.Load())
	})
	for _, r := range rs {
		if used.Used() < budgetNear {
			return
		}
		inside, _ := r.app.gate.count()
		if n := len(*r.workers.Load()); inside == 0 && r.resting() {
			used = used.Less(n, r.memory().Reserved)
			s.event(EventSleep, r.app.Name, "the process needs its memory")
			r.sleep()
		}
	}
	slices.SortFunc(rs, func(a, b *release) int {
		return cmp.Compare(b.memory().Reserved, a.memory().Reserved)
	})
	for _, r := range rs {
		if used.Used() < budgetFull {
			return
		}
		ws, m := *r.workers.Load(), r.memory()
		if len(ws) == 0 {
			continue
		}
		used = used.Less(len(ws), m.Reserved)
		s.log.Warn(fmt.Sprintf("the process has no room for its %d MiB: it gives way", m.Reserved>>20), slog.String("app", r.app.Name))
		for _, w := range ws {
			w.isolate.Evict()
		}
	}
}
