package app

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/nano-runtime/nano/config"
	"github.com/nano-runtime/nano/isolate"
)

// pauseFor is how long the apps that nobody waits for let those go first that somebody
// does, at a time.
const pauseFor = 5 * time.Millisecond

// Begin is Apply for the first apps of a process: it routes them all at once, and leaves
// it for later to load them. An app is loaded when it is first asked for. Meanwhile, one
// by one, those are tried that are not known to load, and then sleep.
func (s *Set) Begin(ctx context.Context, cfg *config.Config, by string) *Change {
	return s.apply(ctx, cfg, plan{by: by, later: true})
}

// tryLater goes through releases that were left for later. One goroutine does, until all
// are through.
func (s *Set) tryLater(rs []*release) {
	if len(rs) == 0 {
		return
	}
	s.queue.Lock()
	defer s.queue.Unlock()
	s.untried = append(s.untried, rs...)
	if s.trying {
		return
	}
	s.trying = true
	s.retiring.Go(func() {
		for r := s.nextUntried(); r != nil; r = s.nextUntried() {
			r.try()
		}
	})
}

// nextUntried is a release that is to be tried, once no request waits for another; nil if
// there is none.
func (s *Set) nextUntried() *release {
	for s.asked.Load() > 0 && s.loading.Err() == nil {
		time.Sleep(pauseFor)
	}
	s.queue.Lock()
	defer s.queue.Unlock()
	if len(s.untried) == 0 || s.loading.Err() != nil {
		s.trying, s.untried = false, nil
		return nil
	}
	r := s.untried[0]
	s.untried = s.untried[1:]
	return r
}

// try finds out whether the release can be loaded. Nobody has asked for it: when that is
// known, it sleeps.
func (r *release) try() {
	if r.version.Load() != nil || r.recall() {
		return
	}
	if err := r.warm(r.app.set.loading, false); err != nil {
		return // the app knows it
	}
	ws := *r.workers.Load()
	if len(ws) == 0 {
		return
	}
	r.keep(ws[0])
	if r.app.stats.last.Load() == 0 && r.resting() {
		r.sleep()
	}
}

// recall finds the release in the store. It reports whether it is known to load.
func (r *release) recall() bool {
	store := r.app.set.store
	if store == nil {
		return false
	}
	r.mu.Lock()
	if r.starting != nil || r.closed {
		r.mu.Unlock()
		return true // its turn has come, or is past
	}
	done := make(chan struct{}) // a request that comes now waits this moment
	r.starting = done
	r.mu.Unlock()
	e := store.find(r.cfg)
	known := e != nil && e.Program == store.program && e.Good == r.hash(e.Hash)
	if known {
		r.module.found(e)
	}
	r.mu.Lock()
	r.starting, r.startErr = nil, nil
	r.mu.Unlock()
	if known {
		r.app.tried(r, nil)
	}
	close(done)
	return known
}

// tried notes what became of loading a release that the app has: left for later, it gets
// its version now, or the app fails.
func (a *App) tried(r *release, err error) {
	news := a.try(r, err)
	if news && a.set.opts.Tried != nil {
		a.set.opts.Tried(a.Name)
	}
}

func (a *App) try(r *release, err error) (news bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.current.Load() != r {
		return false // who loads it will see
	}
	was := r.version.Load()
	if err != nil {
		if was != nil || passing(err) {
			return false
		}
		a.problem = err
		a.current.Store(nil)
		go func() { _ = r.retire(a.set.ctx) }() // it has no isolate to drain
		return true
	}
	hash := r.identity()
	a.quarantine.concerns(hash, time.Now())
	if was != nil && was.Hash == hash {
		return false
	}
	// A version that is known has another code only where the store has lost it.
	v, _ := a.nextVersion(hash, r.by)
	r.version.Store(&v)
	a.record(v)
	return true
}

// passing reports whether an error says nothing about the app.
func passing(err error) bool {
	return errors.Is(err, errRetired) || errors.Is(err, errBusy) || errors.Is(err, errQuarantined) || errors.Is(err, context.Canceled) ||
		errors.Is(err, isolate.ErrNoRoom) || errors.Is(err, isolate.ErrClosed)
}

// errBusy is why an app could not be bundled for now.
var errBusy = errors.New("too many apps are being bundled")

// slot waits for a place among those who bundle for a request, and returns how to leave
// it.
func (s *Set) slot(ctx context.Context) (leave func(), err error) {
	select {
	case s.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, errBusy
	}
	free := sync.OnceFunc(func() { <-s.slots })
	late := time.AfterFunc(slotTimeout, free)
	return func() {
		late.Stop()
		free()
	}, nil
}

// StopLoading ends what is loaded just now though no request waits for it: the process
// is about to end.
func (s *Set) StopLoading() { s.stopLoading() }
