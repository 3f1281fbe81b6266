package isolate

import (
	"runtime"
	"time"
)

const (
	// batchBudget is for how long one tick goes on taking messages: then other isolates have
	// their turn, and who runs the loop of a prompt one other things to do. It doesn't bound
	// a message; CPU does.
	batchBudget  = int64(4 * time.Millisecond)
	promptBudget = int64(time.Millisecond)
	// measureEvery is how much running goes between two looks at an isolate's memory.
	measureEvery = int64(100 * time.Millisecond)
	// measureLong is from which length on a tick is followed by such a look at once.
	measureLong = int64(3 * time.Millisecond)
	// trimAbove is how much an isolate must have held, in bytes, for the C library to look
	// for what it can give back when that is gone: some of it is freed in small parts.
	trimAbove = 16 << 20
	// keepInbox is the room for messages that an idle isolate keeps, in bytes.
	keepInbox = 64 << 10
)

// run is the event loop: it goes on until nothing is queued, and then the goroutine
// ends; the next message starts another. A tick is:
//
//  1. take all messages that are queued: requests, chunks, results, timers, in the
//     order in which they came;
//  2. wait for a turn (Scheduler);
//  3. cross into V8 once: deliver each message, and after each run the microtasks,
//     then report rejected promises;
//  4. hand out what JavaScript posted, in its order; timers are set here;
//  5. finish a module that awaited something at top level.
//
// What a tick had no time for is the next one's.
func (i *Isolate) run() {
	for i.Run(func() {}) {
	}
}

// take makes what is queued the batch, unless there is one. It reports false where there
// is nothing to do; then the loop doesn't run any more.
func (i *Isolate) take() bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	switch {
	case i.closed:
		go i.disposeOnce()
		return false
	case len(i.batch) > 0:
		return true
	case len(i.inbox) == 0:
		i.running = false
		return false
	}
	i.inbox, i.batch = i.batch, i.inbox
	i.room = i.batch[:0]
	i.taken, i.queued = i.queued, 0
	return true
}

// tick delivers what it can of the batch. It reports false where the isolate is lost.
func (i *Isolate) tick(block func()) bool {
	i.mu.Lock()
	batch, taken, loading := i.batch, i.taken, i.loading != nil
	i.ticking = true
	i.ticks++
	i.mu.Unlock()
	budget := batchBudget
	if i.Prompt() {
		budget = promptBudget
	}
	i.opts.Scheduler.acquire(i, block)
	started := time.Now()
	st, begun := i.cell.tick(batch, i.ticks, budget)
	took := int64(time.Since(started))
	ran := i.cell.took()
	busy := i.busy.Load()
	if !loading {
		busy = i.busy.Add(int64(ran))
	}
	i.usual.Store(i.usual.Load() + (took/int64(max(taken, 1))-i.usual.Load())/4)
	if st == ok && (took > measureLong || busy-i.measured > measureEvery) {
		i.measured = busy
		if i.measure().Total() > i.opts.Memory+i.opts.Memory/8 {
			i.cell.terminate(whyMemory)
			st = terminated
		}
	}
	i.opts.Scheduler.release(i, ran)
	if i.abandoned.Load() { // it came back after all
		i.lose(Loss{Cause: LostAbandoned, Detail: notEnded, Blame: i.cell.slice().blame})
		runtime.LockOSThread() // the guard has lowered the thread's priority
		i.disposeOnce()
		runtime.Goexit() // and the thread with it
	}
	if i.isLost() { // evicted
		i.disposeOnce()
		return false
	}
	i.handOut()
	if st == terminated {
		if i.cell.why() != whyClosed {
			i.lose(Loss{Cause: i.endedCause(), Detail: i.endedError().Error(), Blame: i.cell.slice().blame})
		}
		go i.disposeOnce()
		return false
	}
	i.mu.Lock()
	i.ticking = false
	if i.batch = i.batch[begun:]; len(i.batch) == 0 {
		if i.batch = i.room; cap(i.batch) > keepInbox {
			i.batch = nil
		}
	}
	i.mu.Unlock()
	if loading {
		var st status
		i.opts.Scheduler.do(i, func() time.Duration {
			st = i.cell.settle()
			return i.cell.took()
		})
		i.handOut()
		i.loaded(st)
	}
	return true
}

// measure looks at the memory, while nothing else is in the isolate.
func (i *Isolate) measure() Memory {
	m := i.cell.measure()
	i.memory.Store(&m)
	i.opts.Scheduler.charge(i, m.Reserved)
	return m
}

func (i *Isolate) isLost() bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.lost
}

// handOut gives what the last crossing posted to whom it concerns.
func (i *Isolate) handOut() {
	out := i.cell.out()
	var m Message
	for len(out) > 0 {
		out = m.next(out)
		switch m.Op {
		case OpTimer:
			i.setTimer(m.ID, m.Arg(0).Number())
		case OpClear:
			i.mu.Lock()
			i.timers.clear(m.ID)
			i.mu.Unlock()
		default:
			i.opts.Handle(&m)
		}
	}
	if i.opts.Handed != nil {
		i.opts.Handed()
	}
}

func (i *Isolate) setTimer(id uint32, ms float64) {
	// The HTML standard's timers count in 31 bits of milliseconds; JavaScript's side
	// has made sure of the range.
	at := time.Now().Add(time.Duration(ms * float64(time.Millisecond)))
	i.mu.Lock()
	if !i.closed {
		i.timers.set(id, at)
	}
	i.mu.Unlock()
}

// expire queues the timers that are due; the runtime calls it on a goroutine of its own.
func (i *Isolate) expire() {
	i.mu.Lock()
	if i.closed {
		i.mu.Unlock()
		return
	}
	due := false
	i.timers.expired(time.Now(), func(id uint32) {
		i.inbox = appendMessage(i.inbox, InTimer, id, nil)
		i.queued++
		due = true
	})
	start := due && !i.running
	if start {
		i.running = true
	}
	i.mu.Unlock()
	if start {
		i.run()
	}
}

// unstartedLocked are the requests that JavaScript has not seen: of the batch past what was
// begun, and those that are queued.
func (i *Isolate) unstartedLocked() []uint32 {
	begun := 0
	i.living(func() {
		// Until the cell has entered this tick, it tells of the one before.
		if s := i.cell.slice(); i.ticking && s.tick == i.ticks {
			begun = s.begun
		}
	})
	return append(requests(i.batch[begun:]), requests(i.inbox)...)
}

// requests are the ids of those among messages.
func requests(messages []byte) (ids []uint32) {
	var m Message
	for len(messages) > 0 {
		if messages = m.next(messages); m.Op == InRequest {
			ids = append(ids, m.ID)
		}
	}
	return ids
}

// lose takes the isolate out of service and tells its owner, once.
func (i *Isolate) lose(l Loss) {
	i.mu.Lock()
	if i.lost {
		i.mu.Unlock()
		return
	}
	i.lost = true
	told := i.closed // by Close: nobody waits for news
	l.Unstarted = i.unstartedLocked()
	i.closed = true
	i.timers.stop()
	loading := i.loading
	i.loading = nil
	i.mu.Unlock()
	if loading != nil {
		loading <- i.endedError()
	}
	if !told {
		go i.opts.Lost(l)
	}
}

// disposeOnce gives the isolate back to V8, when the loop has come to its end.
func (i *Isolate) disposeOnce() {
	i.mu.Lock()
	gone := i.gone
	i.gone = true
	loading := i.loading
	i.loading = nil
	i.inbox, i.batch = nil, nil
	i.mu.Unlock()
	if gone {
		return
	}
	i.alive.Lock()
	i.ended = true
	i.alive.Unlock()
	if loading != nil {
		loading <- ErrClosed
	}
	large := i.isLost() || i.Memory().Total() > trimAbove
	i.opts.Scheduler.dispose(i, i.cell.dispose)
	if large {
		trim()
	}
	i.handle.Delete()
	i.opts.Scheduler.forget(i)
}
