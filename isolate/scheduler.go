package isolate

import (
	"math"
	"runtime"
	"slices"
	"sync"
	"time"
)

// Scheduler shares the machine's cores among the isolates of a process, and guards
// them while they run. There is one a process. Of the apps that wait, the one that has
// run least of late is next, however many isolates each has: a busy app can't starve a
// quiet one, nor can a hundred.
type Scheduler struct {
	// mu guards the fields below; it is never held across a wait.
	mu      sync.Mutex
	free    int                  // turns nobody has
	active  map[*Isolate]*turn   // isolates whose JavaScript runs now
	waiting map[string][]*waiter // by app, oldest first
	order   []string             // apps that wait, in the order in which they came
	used    map[string]usage     // by app
	lent    int                  // turns made for those that run long
	all     map[*Isolate]int64   // what each takes of the budget, in bytes
	// reserved is the sum of that; refused counts isolates that were not admitted.
	reserved, maxReserved int64
	maxIsolates           int
	refused               uint64

	wake chan struct{} // tells the guard that something runs again
	done chan struct{}
}

// turn is the right to run. While one is long, the guard makes others for those that
// wait: they are given up when it ends.
type turn struct {
	lent  int
	began time.Time
}

// usage is for how long an app has run of late: what it ran fades, by half each fade.
type usage struct {
	ran time.Duration
	at  time.Time
}

const (
	fade = time.Second
	// maxLent is how many turns are lent at once, a core; to apps that have run much less
	// than who holds them up, maxLentLight.
	maxLent, maxLentLight = 1, 5
)

func (u usage) now(now time.Time) time.Duration {
	if u.ran == 0 {
		return 0
	}
	return time.Duration(float64(u.ran) * math.Exp2(-float64(now.Sub(u.at))/float64(fade)))
}

type waiter struct {
	isolate *Isolate
	ready   chan struct{}
}

// NewScheduler makes a scheduler with a turn a core and starts its guard.
func NewScheduler() *Scheduler {
	s := &Scheduler{
		free:    runtime.GOMAXPROCS(0),
		active:  make(map[*Isolate]*turn),
		waiting: make(map[string][]*waiter),
		all:     make(map[*Isolate]int64),
		wake:    make(chan struct{}, 1),
		done:    make(chan struct{}),

		maxReserved: maxReserved,
		maxIsolates: maxIsolates,
	}
	go s.watch()
	return s
}

// Close ends the guard. Every isolate must be closed before.
func (s *Scheduler) Close() { close(s.done) }

// Isolates is how many isolates there are.
func (s *Scheduler) Isolates() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.all)
}

// acquire waits for a turn.
func (s *Scheduler) acquire(i *Isolate) {
	s.mu.Lock()
	if s.free > 0 && len(s.order) == 0 {
		s.free--
		s.start(i)
		s.mu.Unlock()
		return
	}
	app := i.opts.App
	w := &waiter{i, make(chan struct{})}
	if len(s.waiting[app]) == 0 {
		s.order = append(s.order, app)
	}
	s.waiting[app] = append(s.waiting[app], w)
	s.mu.Unlock()
	<-w.ready
}

// start notes that i runs; the lock is held.
func (s *Scheduler) start(i *Isolate) {
	s.active[i] = &turn{began: time.Now()}
	if len(s.active) == 1 {
		select {
		case s.wake <- struct{}{}:
		default:
		}
	}
}

// release gives the turn to whoever is next.
func (s *Scheduler) release(i *Isolate) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.end(i)
}

// end takes i's turn back, and what was lent for it; the lock is held. The guard may
// have done it before.
func (s *Scheduler) end(i *Isolate) {
	t, ok := s.active[i]
	if !ok {
		return
	}
	delete(s.active, i)
	now := time.Now()
	if s.used == nil {
		s.used = make(map[string]usage)
	}
	s.used[i.opts.App] = usage{s.used[i.opts.App].now(now) + now.Sub(t.began), now}
	s.lent -= t.lent
	s.free += 1 - t.lent // below zero: the next ones that end pay for it
	s.grant()
}

// next is which of the apps that wait has run least of late; the lock is held.
func (s *Scheduler) next(now time.Time) (at int, ran time.Duration) {
	for n, app := range s.order {
		if r := s.used[app].now(now); n == 0 || r < ran {
			at, ran = n, r
		}
	}
	return at, ran
}

// grant hands free turns to those that wait; the lock is held.
func (s *Scheduler) grant() {
	for s.free > 0 && len(s.order) > 0 {
		at, _ := s.next(time.Now())
		app := s.order[at]
		queue := s.waiting[app]
		w := queue[0]
		s.order = slices.Delete(s.order, at, at+1)
		if len(queue) > 1 {
			s.waiting[app] = queue[1:]
			s.order = append(s.order, app)
		} else {
			delete(s.waiting, app)
		}
		s.free--
		s.start(w.isolate)
		close(w.ready)
	}
}

// lend makes another turn where i has run for long while others wait: the kernel then
// shares the core between the two. It is given up when i's run ends. More than a few
// would leave nothing to anyone: beyond those only an app that has run much less than
// i's has one.
func (s *Scheduler) lend(i *Isolate) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, ok := s.active[i]
	if !ok || len(s.order) == 0 {
		return
	}
	now := time.Now()
	_, ran := s.next(now)
	light := 8*ran < s.used[i.opts.App].now(now)+now.Sub(t.began)
	cores := runtime.GOMAXPROCS(0)
	if s.lent < maxLent*cores && t.lent == 0 || light && s.lent < maxLentLight*cores {
		t.lent++
		s.lent++
		s.free++
		s.grant()
	}
}
