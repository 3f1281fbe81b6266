package isolate

import "C"

import (
	"runtime/cgo"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// guardEvery is how often the guard looks at what runs.
	guardEvery = 2 * time.Millisecond
	// guardLinger is for how long it goes on looking when nothing runs.
	guardLinger = 100 * time.Millisecond
	// lendAfter is how long a run may hold its turn while others wait.
	lendAfter = 3 * time.Millisecond
	// checkAfter is how long a run goes before its memory is looked at.
	checkAfter = 5 * time.Millisecond
	// abandonAfter is how long a run may go on after it was told to end.
	abandonAfter = time.Second
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
	start int64 // the thread's processor time when the slice began, ns
	ended time.Time
}

// watch looks at every run again and again: it ends those that take more than they
// may, and gives up those that can't be ended.
func (s *Scheduler) watch() {
	tick := time.NewTicker(guardEvery)
	defer tick.Stop()
	idle := time.Now()
	var active []*Isolate
	for {
		s.mu.Lock()
		active = active[:0]
		for i := range s.active {
			active = append(active, i)
		}
		s.mu.Unlock()
		now := time.Now()
		if len(active) > 0 {
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
			s.inspect(i, now)
		}
		select {
		case <-tick.C:
		case <-s.done:
			return
		}
	}
}

func (s *Scheduler) inspect(i *Isolate, now time.Time) {
	var run slice
	if !i.living(func() { run = i.cell.slice() }) || run.number == 0 {
		return
	}
	ran := time.Duration(monotonic() - run.since)
	w := &i.guard
	if run.number != w.slice {
		// What it had before the guard saw it first isn't known: on a busy machine the wall
		// clock says little. The limit is late by one look at the most.
		*w = watch{slice: run.number, start: threadCPU(run.thread)}
	}
	if ran > lendAfter {
		s.lend(i)
	}
	if !w.ended.IsZero() {
		if now.Sub(w.ended) > abandonAfter {
			// It burns its core for as long as the process lives: only when nobody wants it.
			_ = unix.SchedSetAttr(run.thread, &unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_IDLE}, 0)
			s.abandon(i, Loss{Cause: LostAbandoned, Detail: "it did not end when told to", Blame: run.blame}, run.begun)
		}
		return
	}
	limit := i.opts.CPU
	if i.isLoading() {
		limit = max(limit, loadCPU)
	} else if i.Busy() < youth {
		limit = max(limit, youngCPU)
	}
	if time.Duration(threadCPU(run.thread)-w.start) > limit {
		w.ended = now
		i.living(func() { i.cell.terminate(whyCPU) })
		return
	}
	i.living(func() {
		if i.cell.why() != whyNone {
			w.ended = now // the heap limit or Close ended it
		} else if ran > checkAfter {
			i.cell.checkMemory()
		}
	})
}

func (i *Isolate) isLoading() bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.loading != nil
}

// abandon gives up a run that doesn't come back: its turn goes to others, its thread
// and its memory are lost.
func (s *Scheduler) abandon(i *Isolate, l Loss, begun int) {
	s.mu.Lock()
	s.end(i)
	s.mu.Unlock()
	// Its heap may have grown to twice the limit, and stays.
	s.charge(i, 2*i.opts.Memory)
	l.Unstarted = i.unstarted(begun)
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
			go i.opts.Scheduler.abandon(i, l, run.begun)
		}
	}
	select {}
}

// threadCPU is the processor time of a thread of this process, in ns; 0 where it is
// gone. The clock's number is made as clock_getcpuclockid(3) makes it.
func threadCPU(thread int) int64 {
	const perThread, schedClock = 4, 2
	var t unix.Timespec
	if unix.ClockGettime(int32(^thread<<3|perThread|schedClock), &t) != nil {
		return 0
	}
	return t.Nano()
}

func monotonic() int64 {
	var t unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &t) // it can't fail
	return t.Nano()
}
