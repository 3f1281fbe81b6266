// Package app is one app's life: bundle, warm, serve, drain, dispose; its limits and
// its counters. A Set holds the apps of a process and changes them while they serve.
//
// It owns which version of an app answers and in which isolate, and what the client
// gets when a limit is hit. It does not know sockets or HTTP's wire (package daemon),
// nor V8 (package isolate), nor how a configuration is written (package config).
package app

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nano-runtime/nano/config"
	"github.com/nano-runtime/nano/daemon"
	"github.com/nano-runtime/nano/isolate"
)

// State is what an app does just now.
type State string

// The states.
const (
	Serving     State = "serving"
	Sleeping    State = "sleeping"    // it has no isolate; the next request makes one
	Loading     State = "loading"     // it has not been tried yet; the next request does, or its turn
	Failed      State = "failed"      // no version of it could be loaded
	Disabled    State = "disabled"    // by its settings
	Quarantined State = "quarantined" // it lost isolates again and again
)

// App is one app of a Set. Its methods may be called from any goroutine.
type App struct {
	Name string

	set        *Set
	stats      stats
	gate       gate
	quarantine quarantine
	current    atomic.Pointer[release] // nil: nothing to serve with

	// mu guards the fields below.
	mu       sync.Mutex
	cfg      config.App // as it was last asked for, whether or not that could be loaded
	problem  error      // why the last change of the app failed; nil: it didn't
	versions []Version  // oldest first; at most keepVersions
	resumed  bool       // the last version is from an earlier process
}

func newApp(s *Set, cfg config.App) *App {
	a := &App{Name: cfg.Name, set: s, cfg: cfg, versions: s.opts.Versions[cfg.Name]}
	a.resumed = len(a.versions) > 0
	a.gate.limit = cfg.Limits.Concurrency
	a.quarantine.resume(s.opts.Quarantines[cfg.Name], time.Now())
	return a
}

// Serve answers one request.
func (a *App) Serve(x *daemon.Exchange) {
	x.App = a.Name
	began := time.Now()
	a.stats.last.Store(began.UnixNano())
	if c := a.admit(x, began); c != nil {
		a.carry(c)
		return
	}
	a.stats.done(x.Status(), time.Since(began))
}

// admit answers what needs no JavaScript, or what can't have it now; else it makes a call.
func (a *App) admit(x *daemon.Exchange, began time.Time) *call {
	r := a.current.Load()
	if a.set.opts.Dev {
		if err := a.failure(); err != nil {
			errorPage(x, http.StatusInternalServerError, "The app can't be loaded", err.Error())
			return nil
		}
	}
	if r == nil {
		respond(x, http.StatusServiceUnavailable, "the app is not available\n", "")
		return nil
	}
	if r.assets != nil && r.serveAsset(x) {
		return nil
	}
	if !r.runs() {
		r.serveNotFound(x)
		return nil
	}
	if wait := a.quarantine.left(began); wait > 0 {
		respond(x, http.StatusServiceUnavailable, "the app is in quarantine\n", fmt.Sprint(int(wait.Seconds())+1))
		return nil
	}
	if !a.gate.enter(func() context.Context { x.Block(); return x.Context() }) {
		a.hit(nil, limitConcurrency, fmt.Sprintf("%d requests in flight and a full queue", r.cfg.Limits.Concurrency))
		respond(x, http.StatusServiceUnavailable, "the app has too many requests\n", "1")
		return nil
	}
	if waited := time.Since(began); waited > time.Millisecond {
		a.stats.queue(waited)
	}
	return &call{x: x, rel: r, began: began}
}

// carry brings a call as far as it gets now. While JavaScript has it, it is suspended.
func (a *App) carry(c *call) {
	for {
		switch c.rel.serve(c) {
		case waits:
			c.x.Suspend(func() { a.carry(c) })
			return
		case retired:
			next := a.current.Load() // the release was replaced meanwhile
			if next != nil && next != c.rel {
				c.move(next)
				continue
			}
			c.answer(http.StatusServiceUnavailable, "the app is restarting\n", "1")
		}
		c.close()
		a.gate.leave()
		a.stats.done(c.x.Status(), time.Since(c.began))
		return
	}
}

// failure is why the last change of the app failed; nil: it didn't.
func (a *App) failure() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.problem
}

// State is what the app does, and why where it can't serve or its last change failed.
func (a *App) State() (State, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	r := a.current.Load()
	switch {
	case !a.cfg.Enabled:
		return Disabled, nil
	case r == nil:
		return Failed, a.problem
	case a.quarantine.left(time.Now()) > 0:
		return Quarantined, a.problem
	case r.runs() && r.version.Load() == nil:
		return Loading, a.problem
	case r.runs() && len(*r.workers.Load()) == 0:
		return Sleeping, a.problem
	}
	return Serving, a.problem
}

// hit counts that a limit was hit and says so in the app's log. c is nil where there
// is no call yet.
func (a *App) hit(c *call, l limit, text string) {
	a.stats.hits[l].Add(1)
	a.set.event(EventLimit, a.Name, l.String()+": "+text)
	id := ""
	if c != nil {
		id = c.x.ID
	}
	a.set.log.Warn("limit hit: "+text, slog.String("app", a.Name), slog.String("request_id", id), slog.String("limit", l.String()))
}

// lost notes that the guard took an isolate of r away.
func (a *App) lost(r *release, l isolate.Loss, requestID string) {
	kind := lossLimit(l)
	a.stats.hits[kind].Add(1)
	a.set.event(EventLimit, a.Name, kind.String()+": isolate lost: "+l.Detail)
	a.set.log.Error("isolate lost: "+l.Detail, slog.String("app", a.Name), slog.String("request_id", requestID),
		slog.String("limit", kind.String()), slog.String("cause", string(l.Cause)))
	if now := a.current.Load(); now != nil {
		r = now
	}
	if until := a.quarantine.strike(time.Now(), r.identity(), l.ThreadLost()); until > 0 {
		a.set.event(EventQuarantine, a.Name, fmt.Sprintf("no requests for %s", until))
		a.set.log.Error(fmt.Sprintf("quarantine: no requests for %s", until), slog.String("app", a.Name))
	}
	if l.ThreadLost() {
		a.stats.parked.Add(1)
		a.set.threadLost()
	}
}

// lossText is what those get whose request went with an isolate.
func lossText(l isolate.Loss) string {
	if l.Cause == isolate.LostEvicted {
		return "the server has no room for the app's memory\n"
	}
	return "the app hit its " + lossLimit(l).String() + " limit\n"
}

func lossLimit(l isolate.Loss) limit {
	switch l.Cause {
	case isolate.LostMemory, isolate.LostParked, isolate.LostEvicted:
		return limitMemory
	}
	return limitCPU
}
