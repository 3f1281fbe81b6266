package daemon

import (
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// worker is the role of one that serves a share of the sockets.
type worker struct {
	poller *poller
	share  int
	// steps counts beginnings and ends: while it is odd something is being served.
	steps atomic.Uint64
	seen  uint64 // steps when the watch last looked

	mu     sync.Mutex // guards what is below
	events [maxEvents]unix.EpollEvent
	next   int // of events
	count  int
	due    []completer // what is to be completed when the events are served
	room   []completer // due's memory
	asleep bool        // it waits for events
	lost   bool        // another goroutine has the role's place
}

// completer is what a worker does after it has served what had happened; w is nil where
// that is a goroutine without a role.
type completer interface{ complete(w *worker) }

// task is a completer that may have to be called again.
type task func(block func()) (again bool)

func (t task) complete(w *worker) {
	if t(w.leave) && !w.later(t) {
		go func() {
			for t(func() {}) {
			}
		}()
	}
}

// Workers are those that have one of a front end's roles, one after the other.
type Workers struct {
	poller *poller
	share  int
}

// Do has run called when what clients have sent by now is looked at, by the worker that does
// so, and again for as long as it reports that it has more to do. Before run waits for
// something it calls block. Any goroutine may call Do, at any time.
func (w *Workers) Do(run func(block func()) (again bool)) { w.poller.submit(w.share, task(run)) }

// ring has a worker that waits for events look whether there is something else to do.
func (w *worker) ring() {
	_, _ = unix.Write(w.poller.bells[w.share], []byte{1, 0, 0, 0, 0, 0, 0, 0}) // it can't fail
}

// work serves the worker's share until the role is lost, or the poller closed.
func (w *worker) work() {
	p := w.poller
	for w.serveEvents() && w.completeDue() {
		w.mu.Lock()
		timeout := 0
		if w.asleep = len(w.due) == 0; w.asleep {
			timeout = -1
		}
		w.mu.Unlock()
		n, err := unix.EpollWait(p.epolls[w.share], w.events[:], timeout)
		if err != nil {
			n = 0 // a signal
		}
		w.mu.Lock()
		w.next, w.count, w.asleep = 0, n, false
		lost := w.lost
		w.mu.Unlock()
		// Somebody thought it stuck when it had just moved on: these are nobody else's, and
		// nobody can take them over.
		if lost {
			for _, e := range w.events[:n] {
				if int(e.Fd) == p.bells[w.share] {
					w.ring() // that was for the one who has the role
				} else if s := p.find(&e); s != nil {
					go s.happened(e.Events, nil)
				}
			}
			return
		}
	}
}

// serveEvents serves what has happened. It reports whether the worker goes on.
func (w *worker) serveEvents() bool {
	p := w.poller
	for {
		w.mu.Lock()
		if w.lost || w.next == w.count {
			defer w.mu.Unlock()
			return !w.lost
		}
		e := w.events[w.next]
		w.next++
		w.mu.Unlock()
		if int(e.Fd) == p.bells[w.share] {
			if p.isClosed() {
				w.retire()
				return false
			}
		} else if s := p.find(&e); s != nil {
			w.begin()
			s.happened(e.Events, w)
			w.steps.Add(1)
		}
	}
}

// begin notes that something is being served.
func (w *worker) begin() {
	w.steps.Add(1)
	if p := w.poller; p.asleep.Load() && p.asleep.Swap(false) {
		p.wake <- struct{}{}
	}
}

// rounds is how often a worker looks for what is due before it looks for events again:
// what completes may make something else due.
const rounds = 4

// completeDue does what is due by now. It reports whether the worker goes on.
func (w *worker) completeDue() bool {
	for range rounds {
		w.mu.Lock()
		due := len(w.due)
		w.mu.Unlock()
		if due == 0 {
			break
		}
		for range due {
			w.mu.Lock()
			if w.lost {
				w.mu.Unlock()
				return false
			}
			c := w.due[0]
			w.due[0] = nil
			if w.due = w.due[1:]; len(w.due) == 0 {
				w.due = w.room[:0]
			}
			w.mu.Unlock()
			w.begin()
			c.complete(w)
			w.steps.Add(1)
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return !w.lost
}

// later has c done after what has happened is served. It reports false where the worker
// has lost its role, as nil has. Any goroutine may call it.
func (w *worker) later(c completer) bool {
	if w == nil {
		return false
	}
	w.mu.Lock()
	if w.lost {
		w.mu.Unlock()
		return false
	}
	if len(w.due) == 0 {
		w.due = w.room[:0]
	}
	w.due = append(w.due, c)
	if cap(w.due) > cap(w.room) {
		w.room = w.due
	}
	if w.asleep {
		w.asleep = false
		w.ring() // while nobody can retire the worker, and then close the bell
	}
	w.mu.Unlock()
	return true
}

// retire ends a worker whose poller is closed.
func (w *worker) retire() {
	w.mu.Lock()
	w.lost = true
	due := w.due
	w.due = nil
	w.mu.Unlock()
	for _, c := range due {
		go c.complete(nil)
	}
}

// leave gives the role to another goroutine, with all there is to do. The caller may be
// any.
func (w *worker) leave() {
	if w == nil {
		return
	}
	w.mu.Lock()
	if w.lost {
		w.mu.Unlock()
		return
	}
	w.lost = true
	next := &worker{poller: w.poller, share: w.share, due: w.due}
	next.count = copy(next.events[:], w.events[w.next:w.count])
	w.due = nil
	w.mu.Unlock()
	w.poller.appoint(next)
}
