package app

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nano-runtime/nano/isolate"
)

const (
	// loadTimeout bounds how long a module may take to load, with all that it awaits.
	loadTimeout = 15 * time.Second
	// crowded is how many calls an isolate has before a second one is thought of.
	crowded = 8
	// busyEnough is the part of the time that an isolate runs JavaScript from which on
	// a second one would help.
	busyEnough = 0.7
	// sampleEvery is over how long that is measured.
	sampleEvery = 200 * time.Millisecond
)

// warm makes the first isolate, unless there is one. Many may call it at once: one
// makes it, and all get its outcome. asked says that a request waits for it.
func (r *release) warm(ctx context.Context, asked bool) error {
	if !r.runs() {
		return nil
	}
	if asked {
		r.app.set.asked.Add(1)
		defer r.app.set.asked.Add(-1)
	}
	r.mu.Lock()
	if r.closed {
		r.mu.Unlock()
		return errRetired
	}
	if len(*r.workers.Load()) > 0 {
		r.mu.Unlock()
		return nil
	}
	starting := r.starting
	if starting == nil {
		starting = r.start(asked)
	}
	r.mu.Unlock()
	select {
	case <-starting:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.startErr
}

// start makes one more worker; the lock is held. The channel is closed when it is
// there, or startErr says why not.
func (r *release) start(asked bool) chan struct{} {
	done := make(chan struct{})
	r.starting = done
	go func() {
		defer close(done)
		began := time.Now()
		w, err := r.newWorker(asked)
		r.mu.Lock()
		r.starting = nil
		if err == nil && r.closed {
			err = errRetired
			w.close()
		}
		r.startErr = err
		if err == nil {
			ws := *r.workers.Load()
			if len(ws) == 0 {
				r.woke.Store(time.Now().UnixNano())
				if r.known().Number > 0 {
					r.app.set.event(EventWake, r.app.Name, fmt.Sprintf("in %s", time.Since(began).Round(100*time.Microsecond)))
				}
			}
			r.put(append(append([]*worker(nil), ws...), w))
			r.app.stats.coldStart(time.Since(began))
		}
		r.mu.Unlock()
		r.app.tried(r, err)
		if err == nil {
			go r.keep(w)
		}
	}()
	return done
}

// newWorker finds the code and makes an isolate that runs it.
func (r *release) newWorker(asked bool) (*worker, error) {
	set := r.app.set
	b, err := r.code(set.ctx, asked)
	if err != nil {
		return nil, err
	}
	if !asked && r.app.quarantine.concerns(r.identity(), time.Now()) > 0 {
		return nil, errQuarantined
	}
	ctx, cancel := context.WithTimeoutCause(set.ctx, loadTimeout, fmt.Errorf("it took too long: more than %s, with what it awaits at top level", loadTimeout))
	defer cancel()
	for began := time.Now(); ; {
		set.makeRoom()
		w, err := newWorker(ctx, r, b)
		if !errors.Is(err, isolate.ErrNoRoom) || time.Since(began) > roomPatience {
			return w, err
		}
		select { // others are about to end, or the whole process is
		case <-time.After(budgetEvery):
		case <-ctx.Done():
			return nil, err
		}
	}
}

func (r *release) put(ws []*worker) { r.workers.Store(&ws) }

// drop takes a lost worker out of service.
func (r *release) drop(w *worker) {
	r.mu.Lock()
	defer r.mu.Unlock()
	old := *r.workers.Load()
	ws := make([]*worker, 0, len(old))
	for _, o := range old {
		if o != w {
			ws = append(ws, o)
		}
	}
	r.put(ws)
}

// pick is the worker with the fewest calls; nil where the release sleeps.
func (r *release) pick() *worker {
	ws := *r.workers.Load()
	if len(ws) == 0 {
		return nil
	}
	best, load := ws[0], ws[0].inFlight.Load()
	for _, w := range ws[1:] {
		if l := w.inFlight.Load(); l < load {
			best, load = w, l
		}
	}
	if load >= crowded && len(ws) < r.cfg.Limits.Isolates {
		r.grow(ws)
	}
	return best
}

// grow makes another isolate where those that there are run most of the time.
func (r *release) grow(ws []*worker) {
	if !r.mu.TryLock() {
		return
	}
	defer r.mu.Unlock()
	now := time.Now()
	passed := now.Sub(r.sampled)
	if passed < sampleEvery || r.starting != nil || r.closed {
		return
	}
	var busy time.Duration
	for _, w := range ws {
		busy += w.isolate.Busy()
	}
	used := busy - r.busy
	first := r.sampled.IsZero() || passed > 4*sampleEvery
	r.sampled, r.busy = now, busy
	if !first && used.Seconds() > busyEnough*passed.Seconds()*float64(len(ws)) {
		r.start(true)
	}
}

// sleep gives the isolates back, and the memory of the code; the next request makes an
// isolate anew.
func (r *release) sleep() {
	r.mu.Lock()
	defer r.mu.Unlock()
	ws := *r.workers.Load()
	r.put(nil)
	if len(ws) > 0 && !r.closed {
		r.ripen(ws[0])
	}
	for _, w := range ws {
		w.close()
	}
	if r.starting == nil {
		r.forget(!r.closed)
	}
}

// memory is what the isolates hold.
func (r *release) memory() (m isolate.Memory) {
	for _, w := range *r.workers.Load() {
		wm := w.isolate.Memory()
		m.Heap += wm.Heap
		m.Reserved += wm.Reserved
		m.Buffers += wm.Buffers
	}
	return m
}

// resting reports whether nothing is under way in the release's isolates.
func (r *release) resting() bool {
	ws := *r.workers.Load()
	for _, w := range ws {
		w.mu.Lock()
		n := len(w.calls)
		w.mu.Unlock()
		if n > 0 {
			return false
		}
	}
	return len(ws) > 0
}
