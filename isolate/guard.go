package isolate

import "C"

import (
	"maps"
	"runtime/cgo"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// guardEvery is how often the guard looks at what runs.
	guardEvery = 2 * time.Millisecond
	// guardLinger is for how long it goes on looking when nothing runs.
	guardLinger = 100 * time.Millisecond
	// yieldAfter is how long a run may have a turn while others wait: then it is paused. Where
	// none wait it lets other threads through, which is up to the kernel.
	yieldAfter = 3 * time.Millisecond
	// lendAfter is how long it may go on nevertheless: some things can't be interrupted.
	// All three are processor time; stallAfter is on the clock.
	lendAfter  = 6 * time.Millisecond
	stallAfter = 100 * time.Millisecond
	// checkAfter is how long a run goes before its memory is looked at.
	checkAfter = 5 * time.Millisecond
	// abandonCPU is how much a run may still take after it was told to end, and
	// abandonAfter for how long it may go on at all.
	abandonCPU   = 500 * time.Millisecond
	abandonAfter = 4 * time.Second
	// runawayNice is the priority of a thread whose run was given up (setpriority(2)).
	runawayNice = 10
	// stuckAfter is how long a run may have its turn and take no processor time: it may wait
	// for a thread of V8's that is no more.
	stuckAfter = 15 * time.Second
	// loadCPU is what evaluating a module may take: much is compiled then, once.
	loadCPU = 2 * time.Second
	// youngCPU is what a run may take while JavaScript has run for less than youth in
	// its isolate: the first requests of an app compile what they use.
	youngCPU = 250 * time.Millisecond
	youth    = time.Second
)

// watch is what the guard remembers of one isolate; only its goroutine touches it.
type watch struct {
	slice uint64
	start time.Duration // the thread's processor time when the slice began
	ended time.Time
	spent time.Duration // the thread's processor time when the slice was told to end

	moved   time.Duration // the thread's processor time when it was last seen to grow
	movedAt time.Time
}

// isStuck reports whether a run that has had its turn for since takes no processor time.
func (w *watch) isStuck(spent, since time.Duration, now time.Time) bool {
	if spent > w.moved || w.movedAt.IsZero() {
		w.moved, w.movedAt = spent, now
	}
	return min(since, now.Sub(w.movedAt)) > stuckAfter
}

// runaway is a thread that a run has taken along: the run was given up, and goes on.
type runaway struct {
	isolate *Isolate
	thread  int
}

// watch looks at every run again and again: it ends those that take more than they
// may, and gives up those that can't be ended.
func (s *Scheduler) watch() {
	tick := time.NewTicker(guardEvery)
	defer tick.Stop()
	idle := time.Now()
	var active []*Isolate
	var runaways []runaway
	for {
		s.mu.Lock()
		active = slices.AppendSeq(active[:0], maps.Keys(s.active))
		s.mu.Unlock()
		now := time.Now()
		runaways = slices.DeleteFunc(runaways, runaway.stopped)
		if len(active)+len(runaways) > 0 {
			idle = now
		} else if now.Sub(idle) > guardLinger {
			tick.Stop()
			select {
			case <-s.wake:
				idle = time.Now()
			case <-s.done:
				return
			}
			tick.Reset(guardEvery)
			continue
		}
		for _, i := range active {
			if r, gone := s.inspect(i, now); gone {
				runaways = append(runaways, r)
			}
		}
		select {
		case <-tick.C:
		case <-s.done:
			return
		}
	}
}

// stopped tries to stop the thread, and reports whether nothing is left to stop.
func (r runaway) stopped() bool {
	done := true
	r.isolate.living(func() { done = r.isolate.cell.freeze(r.thread) || r.isolate.cell.slice().number == 0 })
	return done
}

// inspect looks at one run. gone: it was given up, and takes its thread along.
func (s *Scheduler) inspect(i *Isolate, now time.Time) (r runaway, gone bool) {
	var run slice
	if !i.born.Load() || !i.living(func() { run = i.cell.slice() }) || run.number == 0 {
		return runaway{}, false
	}
	spent := threadCPU(run.thread)
	w := &i.guard
	if run.number != w.slice {
		// What it had before the guard saw it first isn't known: on a busy machine the wall
		// clock says little. The limit is late by one look at the most.
		*w = watch{slice: run.number, start: spent}
	}
	took, since := spent-run.start, s.since(i, now)
	if took > yieldAfter {
		i.living(i.cell.yield)
	}
	if took > lendAfter || since > stallAfter {
		s.lend(i)
	}
	if !w.ended.IsZero() {
		if now.Sub(w.ended) < abandonAfter && spent-w.spent < abandonCPU {
			return runaway{}, false
		}
		// Until it can be stopped it burns its core. It may hold a lock of V8's now and then
		// that all want: so it is to have less than others, but not much less.
		i.abandoned.Store(true)
		_ = unix.Setpriority(unix.PRIO_PROCESS, run.thread, runawayNice)
		s.abandon(i, Loss{Cause: LostAbandoned, Detail: notEnded, Blame: run.blame})
		return runaway{i, run.thread}, true
	}
	limit := i.opts.CPU
	if i.isLoading() {
		limit = max(limit, loadCPU)
	} else if i.Busy() < youth {
		limit = max(limit, youngCPU)
	}
	stuck := w.isStuck(spent, since, now)
	var found Memory
	i.living(func() {
		switch {
		case i.cell.why() != whyNone: // the heap limit or Close ended it
			w.ended, w.spent = now, spent
		case spent-w.start > limit || stuck:
			w.ended, w.spent = now, spent
			i.cell.terminate(whyCPU)
		case since > checkAfter:
			found = i.cell.checked()
			i.cell.checkMemory()
		}
	})
	if found.Reserved > 0 { // many that grow at once must not wait with that for the end of their runs
		i.memory.Store(&found)
		s.charge(i, found.Reserved)
	}
	return runaway{}, false
}

func (i *Isolate) isLoading() bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.loading != nil
}

// notEnded is why a run is abandoned.
const notEnded = "it did not end when told to"

// abandon gives up a run that doesn't come back: its turn goes to others, its thread
// and its memory are lost.
func (s *Scheduler) abandon(i *Isolate, l Loss) {
	s.mu.Lock()
	s.end(i, 0, true)
	s.mu.Unlock()
	// Its heap may have grown to twice the limit, and stays.
	s.charge(i, 2*i.opts.Memory)
	i.lose(l)
}

// nanoPark is called by V8's hooks on the thread that has run out of memory. It never
// returns: V8 would end the process.
//
//export nanoPark
func nanoPark(id C.ulong, reason *C.char) {
	if id != 0 {
		if i := cgo.Handle(id).Value().(*Isolate); i.born.Load() {
			run := i.cell.slice()
			l := Loss{Cause: LostParked, Detail: C.GoString(reason), Blame: run.blame}
			go i.opts.Scheduler.abandon(i, l)
		}
	}
	select {}
}

// nanoYield is called by JavaScript that was interrupted, for others to run before it
// goes on. It reports whether any did. The turn has taken so much processor time, in ns.
//
//export nanoYield
func nanoYield(id C.ulong, took C.long) C.int {
	i := cgo.Handle(id).Value().(*Isolate)
	if !i.born.Load() || !i.opts.Scheduler.yield(i, time.Duration(took)) {
		return 0
	}
	if !i.isLoading() {
		i.busy.Add(int64(took))
	}
	return 1
}

// threadCPU is the processor time of a thread of this process; 0 where it is gone. The
// clock's number is made as clock_getcpuclockid(3) makes it.
func threadCPU(thread int) time.Duration {
	const perThread, schedClock = 4, 2
	var t unix.Timespec
	if unix.ClockGettime(int32(^thread<<3|perThread|schedClock), &t) != nil {
		return 0
	}
	return time.Duration(t.Nano())
}
