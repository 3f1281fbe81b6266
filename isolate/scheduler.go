package isolate

import (
	"maps"
	"runtime"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Scheduler shares the machine's cores among the isolates of a process, and guards
// them while they run. There is one a process. Apps that want more than there is get
// equal shares, however many isolates each has, and one whose runs are short is before
// those whose runs are long: a busy app can't starve a quiet one, nor can a hundred.
//
// That is start-time fair queueing (Goyal, Vin, Cheng, 1996), ordered by when a turn
// would end in virtual time. What is short, and below its share, doesn't even wait for
// long runs to be paused: it runs beside them, and the kernel lets it through.
type Scheduler struct {
	// mu guards the fields below; it is never held across a wait.
	mu      sync.Mutex
	cores   int                  // of the machine, as far as they are this process's
	free    int                  // turns nobody has
	active  map[*Isolate]*turn   // isolates whose JavaScript runs now
	waiting map[string][]*waiter // by app, oldest first
	order   []string             // apps that wait, in the order in which they came
	shares  map[string]*share    // by app
	virtual time.Duration        // when the last turn began, in virtual time
	lent    int                  // turns made while others are long
	beside  int                  // turns of those that are short, while others have all
	all     map[*Isolate]int64   // what each takes of the budget, in bytes
	// reserved is the sum of that; refused counts isolates that were not admitted.
	reserved, maxReserved int64
	leaving               map[*Isolate]bool // those that are closed, and not gone yet
	maxIsolates           int
	refused               uint64

	ending chan struct{} // full while an isolate is disposed of
	wake   chan struct{} // tells the guard that something runs again
	done   chan struct{}
}

// turn is the right to run. While one is long, the guard makes others for those that
// wait: they are given up when it ends.
type turn struct {
	lent   int
	beside bool // it is one too many
	began  time.Time
}

// share is what an app had of the cores.
type share struct {
	end  time.Duration // of its last turn, in virtual time
	tick time.Duration // how long its ticks are, on average
}

const (
	// maxLent is how many turns are lent at once, a core; to apps whose ticks are short,
	// maxLentShort.
	maxLent, maxLentShort = 1, 5
	// maxBeside is how many turns run beside the long ones at once, a core; shortTick is how
	// short an app's ticks must be for that.
	maxBeside = 1
	shortTick = time.Millisecond
	// newTick is how long an app's first tick is thought to be.
	newTick = 5 * time.Millisecond
	// endPatience is how long an isolate's end waits for that of another.
	endPatience = 5 * time.Second
	// keepShares is how many apps are remembered beyond those that have isolates.
	keepShares = 1000
)

type waiter struct {
	isolate *Isolate
	ready   chan struct{}
}

// NewScheduler makes a scheduler with a turn a core and starts its guard.
func NewScheduler(cores int) *Scheduler {
	s := &Scheduler{
		cores:   cores,
		free:    cores,
		active:  make(map[*Isolate]*turn),
		waiting: make(map[string][]*waiter),
		shares:  make(map[string]*share),
		leaving: make(map[*Isolate]bool),
		all:     make(map[*Isolate]int64),
		ending:  make(chan struct{}, 1),
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

// do has f run in a turn that is no tick: it makes, loads or ends i. f says how much
// processor time it took.
func (s *Scheduler) do(i *Isolate, f func() time.Duration) {
	s.acquire(i, func() {})
	took := f()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.end(i, took, false)
}

// onThread is how much processor time f takes; it goes on on one thread.
func onThread(f func()) time.Duration {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	began := threadCPU(unix.Gettid())
	f()
	return threadCPU(unix.Gettid()) - began
}

// acquire waits for a turn; where it has to, it calls block before.
func (s *Scheduler) acquire(i *Isolate, block func()) {
	s.mu.Lock()
	if len(s.order) == 0 && s.begin(i) {
		s.mu.Unlock()
		return
	}
	app := i.opts.App
	w := &waiter{i, make(chan struct{})}
	if len(s.waiting[app]) == 0 {
		s.order = append(s.order, app)
	}
	s.waiting[app] = append(s.waiting[app], w)
	s.grant()
	s.mu.Unlock()
	block()
	<-w.ready
}

// begin gives i a turn if there is one for it; the lock is held.
func (s *Scheduler) begin(i *Isolate) bool {
	switch {
	case s.free > 0:
		s.free--
		s.start(i, false)
	case s.beside < maxBeside*s.cores && s.ahead(s.share(i.opts.App)):
		s.beside++
		s.start(i, true)
	default:
		return false
	}
	return true
}

// ahead reports whether an app's ticks are short, and it has had less than any that runs
// has by now; the lock is held.
func (s *Scheduler) ahead(sh *share) bool {
	if sh.tick > shortTick {
		return false
	}
	now := time.Now()
	for a, t := range s.active {
		if !t.beside && sh.end > max(s.virtual, s.share(a.opts.App).end)+now.Sub(t.began) {
			return false
		}
	}
	return true
}

// start notes that i runs; the lock is held.
func (s *Scheduler) start(i *Isolate, beside bool) {
	s.virtual = max(s.virtual, s.share(i.opts.App).end)
	s.active[i] = &turn{began: time.Now(), beside: beside}
	if len(s.active) == 1 {
		select {
		case s.wake <- struct{}{}:
		default:
		}
	}
}

// share is the app's, made where there is none; the lock is held.
func (s *Scheduler) share(app string) *share {
	sh := s.shares[app]
	if sh == nil {
		if len(s.shares) > len(s.all)+keepShares {
			maps.DeleteFunc(s.shares, func(_ string, old *share) bool { return old.end <= s.virtual })
		}
		sh = &share{tick: newTick}
		s.shares[app] = sh
	}
	return sh
}

// release ends i's tick, which took so much processor time, and gives the turn to whoever
// is next.
func (s *Scheduler) release(i *Isolate, took time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.end(i, took, true)
}

// end takes i's turn back, and what was lent for it; the lock is held. The guard may
// have done it before.
func (s *Scheduler) end(i *Isolate, took time.Duration, tick bool) {
	t, ok := s.active[i]
	if !ok {
		return
	}
	delete(s.active, i)
	sh := s.share(i.opts.App)
	sh.end = max(s.virtual, sh.end) + took
	if tick {
		sh.tick += (took - sh.tick) / 4
	}
	s.lent -= t.lent
	s.free -= t.lent // below zero: the next ones that end pay for it
	if t.beside {
		s.beside--
	} else {
		s.free++
	}
	s.grant()
}

// next is which of the apps that wait would be through first, in virtual time; the lock
// is held.
func (s *Scheduler) next() (at int) {
	var first time.Duration
	for n, app := range s.order {
		sh := s.share(app)
		if end := max(s.virtual, sh.end) + sh.tick; n == 0 || end < first {
			at, first = n, end
		}
	}
	return at
}

// grant hands turns to those that wait; the lock is held.
func (s *Scheduler) grant() {
	for len(s.order) > 0 {
		at := s.next()
		app := s.order[at]
		queue := s.waiting[app]
		w := queue[0]
		if !s.begin(w.isolate) {
			return
		}
		s.order = slices.Delete(s.order, at, at+1)
		if len(queue) > 1 {
			s.waiting[app] = queue[1:]
			s.order = append(s.order, app)
		} else {
			delete(s.waiting, app)
		}
		close(w.ready)
	}
}

// since is for how long i has had its turn.
func (s *Scheduler) since(i *Isolate, now time.Time) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t := s.active[i]; t != nil {
		return now.Sub(t.began)
	}
	return 0
}

// yield has i, which runs, wait for another turn, if anyone else waits for one. It
// reports whether it did.
func (s *Scheduler) yield(i *Isolate, took time.Duration) bool {
	s.mu.Lock()
	if s.active[i] == nil || len(s.order) == 0 {
		s.mu.Unlock()
		return false
	}
	s.end(i, took, true)
	s.mu.Unlock()
	s.acquire(i, func() {})
	return true
}

// hurry notes that i is to end, and gives it a turn at once if it waits for one: it has
// memory to give back. The turns that end next pay for it.
func (s *Scheduler) hurry(i *Isolate) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.all[i]; !ok {
		return
	}
	s.leaving[i] = true
	app := i.opts.App
	at := slices.IndexFunc(s.waiting[app], func(w *waiter) bool { return w.isolate == i })
	if at < 0 {
		return
	}
	w := s.waiting[app][at]
	s.waiting[app] = slices.Delete(s.waiting[app], at, at+1)
	if len(s.waiting[app]) == 0 {
		delete(s.waiting, app)
		n := slices.Index(s.order, app)
		s.order = slices.Delete(s.order, n, n+1)
	}
	s.free--
	s.start(i, false)
	close(w.ready)
}

// dispose has f end i. It needs no turn, since it gives memory back, but one isolate
// ends after the other, and the app pays for it. V8 may park the thread for good there:
// the next one doesn't wait for ever.
func (s *Scheduler) dispose(i *Isolate, f func()) {
	patience := time.NewTimer(endPatience)
	defer patience.Stop()
	select {
	case s.ending <- struct{}{}:
		defer func() { <-s.ending }()
	case <-patience.C:
	}
	took := onThread(f)
	s.mu.Lock()
	defer s.mu.Unlock()
	sh := s.share(i.opts.App)
	sh.end = max(s.virtual, sh.end) + took
}

// lend makes another turn where i can't be paused while others wait: the kernel then
// shares the core between the two. It is given up when i's run ends. More than a few
// would leave nothing to anyone: beyond those only an app whose ticks are short has one.
func (s *Scheduler) lend(i *Isolate) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, ok := s.active[i]
	if !ok || len(s.order) == 0 {
		return
	}
	short := s.share(s.order[s.next()]).tick < yieldAfter
	if s.lent < maxLent*s.cores && t.lent == 0 || short && s.lent < maxLentShort*s.cores {
		t.lent++
		s.lent++
		s.free++
		s.grant()
	}
}
