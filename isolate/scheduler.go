package isolate

import (
	"runtime"
	"sync"
)

// Scheduler shares the machine's cores among the isolates of a process, and guards
// them while they run. There is one a process. Apps that wait get their turns one
// after the other, however many isolates each has: a busy app can't starve a quiet one.
type Scheduler struct {
	// mu guards the fields below; it is never held across a wait.
	mu      sync.Mutex
	free    int                  // turns nobody has
	active  map[*Isolate]*turn   // isolates whose JavaScript runs now
	waiting map[string][]*waiter // by app, oldest first
	order   []string             // apps that wait, in the order of their turns
	all     map[*Isolate]int64   // what each takes of the budget, in bytes
	// reserved is the sum of that; refused counts isolates that were not admitted.
	reserved, maxReserved int64
	maxIsolates           int
	refused               uint64

	wake chan struct{} // tells the guard that something runs again
	done chan struct{}
}

// turn is the right to run. Of a long one the guard has made another turn meanwhile,
// so that it isn't given back.
type turn struct{ lent bool }

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
	s.active[i] = &turn{}
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
	t, ok := s.active[i]
	if !ok {
		return // the guard has given it away
	}
	delete(s.active, i)
	if !t.lent {
		s.free++
	}
	s.grant()
}

// grant hands free turns to those that wait; the lock is held.
func (s *Scheduler) grant() {
	for s.free > 0 && len(s.order) > 0 {
		app := s.order[0]
		queue := s.waiting[app]
		w := queue[0]
		s.order = s.order[1:]
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
// shares the core between the two. It is given up when i's run ends.
func (s *Scheduler) lend(i *Isolate) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t, ok := s.active[i]; ok && !t.lent && len(s.order) > 0 {
		t.lent = true
		s.free++
		s.grant()
	}
}
