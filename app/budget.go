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
	// roomPatience is how long a start waits for room.
	roomPatience = 5 * time.Second
	// restsAfter is how long after its last request an app is taken to rest: one that is
	// woken at once again needs its room, and may find none.
	restsAfter = time.Second
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
	used := s.scheduler.Settled()
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
	share := used.MaxReserved / int64(max(2*len(rs), 1))
	crowded := float64(used.Isolates) > budgetNear*float64(used.MaxIsolates)
	for _, r := range rs {
		if used.Used() < budgetNear {
			return
		}
		if !crowded && r.memory().Reserved < share {
			continue // it isn't the small ones who used it up
		}
		if last := time.Unix(0, r.app.stats.last.Load()); time.Since(last) > restsAfter {
			used, _ = s.sleepFor(r, used)
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
		if m.Reserved < share {
			return // the others are small
		}
		var sleeps bool
		if used, sleeps = s.sleepFor(r, used); sleeps {
			continue
		}
		used = used.Less(len(ws), m.Reserved)
		s.log.Warn(fmt.Sprintf("the process has no room for its %d MiB: it gives way", m.Reserved>>20), slog.String("app", r.app.Name))
		for _, w := range ws {
			w.isolate.Evict()
		}
	}
}

// sleepFor puts a release to sleep that rests, and says what that leaves of the budget.
func (s *Set) sleepFor(r *release, used isolate.Budget) (left isolate.Budget, sleeps bool) {
	inside, _ := r.app.gate.count()
	if inside > 0 || !r.resting() {
		return used, false
	}
	used = used.Less(len(*r.workers.Load()), r.memory().Reserved)
	s.event(EventSleep, r.app.Name, "the process needs its memory")
	r.sleep()
	return used, true
}
