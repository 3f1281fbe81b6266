package app

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/nano-runtime/nano/config"
	"github.com/nano-runtime/nano/vhost"
)

// Change is what an Apply did.
type Change struct {
	Added     []string         `json:"added"`
	Changed   []string         `json:"changed"`
	Removed   []string         `json:"removed"`
	Unchanged []string         `json:"unchanged"`
	Failed    map[string]error `json:"-"` // by app; what served before serves on
	Later     []string         `json:"-"` // those of Added and Changed that are yet to be tried

	retired []<-chan error
}

// Wait waits until what the change replaced has drained, and reports what didn't.
func (c *Change) Wait() error {
	var first error
	for _, r := range c.retired {
		if err := <-r; err != nil && first == nil {
			first = err
		}
	}
	return first
}

// next is an app as it will be when a change is through.
type next struct {
	app  *App
	cfg  config.App
	rel  *release // nil: what the app has stays
	err  error
	kept bool // nothing about it was to change
	// stuck says that the app could not be loaded with these settings before, and that
	// nobody asks to try again.
	stuck bool
	// later says that rel is to be tried when it serves.
	later bool
}

// Apply makes the set what cfg says: new versions are bundled, compiled and warmed
// beside the old ones, in parallel; then all hosts change in one step; then the old
// versions drain, for drain_timeout at the most. An app that can't be loaded keeps
// what it had, and is tried again by the next Apply. force names apps to load anew
// though their settings are the same.
func (s *Set) Apply(ctx context.Context, cfg *config.Config, by string, force ...string) *Change {
	return s.apply(ctx, cfg, plan{by: by, force: force, retry: true})
}

// Renew is Apply that leaves alone what could not be loaded before, but for the apps
// named: those it loads anew.
func (s *Set) Renew(ctx context.Context, cfg *config.Config, by string, names ...string) *Change {
	return s.apply(ctx, cfg, plan{by: by, force: names})
}

// Try is Renew for a change that is wanted whole or not at all: where an app can't be
// loaded nothing changes, and Failed says why.
func (s *Set) Try(ctx context.Context, cfg *config.Config, by string, force ...string) *Change {
	return s.apply(ctx, cfg, plan{by: by, force: force, whole: true})
}

// Refresh is Renew for those apps only, among the ones named, whose code or environment
// is no longer the same.
func (s *Set) Refresh(ctx context.Context, cfg *config.Config, by string, names ...string) *Change {
	return s.apply(ctx, cfg, plan{by: by, check: names})
}

// plan says how to change the set.
type plan struct {
	by    string
	force []string // apps to load anew in any case
	check []string // apps to load anew if their files make another version
	retry bool     // load anew all that could not be loaded before
	later bool     // load new apps when they are asked for
	whole bool     // change nothing if an app can't be loaded
}

func (s *Set) apply(ctx context.Context, cfg *config.Config, p plan) *Change {
	s.changing.Lock()
	defer s.changing.Unlock()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(s.loading, func() { cancel(errStopped) })()
	old := *s.apps.Load()
	change := &Change{Failed: make(map[string]error)}
	nexts := make([]*next, len(cfg.Apps))
	var loading errgroup.Group
	loading.SetLimit(s.opts.Cores)
	var awake atomic.Int64
	for i, c := range cfg.Apps {
		n := &next{app: old[c.Name], cfg: c}
		nexts[i] = n
		same := n.app != nil && !n.app.differs(c) && !slices.Contains(p.force, c.Name) && !(p.retry && n.app.failure() != nil)
		check := same && slices.Contains(p.check, c.Name)
		switch {
		case n.app == nil:
			n.app = newApp(s, c)
		case same && !check:
			n.kept, n.stuck = true, n.app.failure() != nil
			continue
		}
		if !c.Enabled {
			continue
		}
		if p.later {
			n.rel, n.err = newRelease(n.app, c, p.by)
			n.later = n.rel != nil && n.rel.runs()
			continue
		}
		l := load{by: p.by, check: check, force: slices.Contains(p.force, c.Name)}
		loading.Go(func() error {
			n.rel, n.later, n.err = n.app.load(ctx, c, l)
			if n.rel != nil && len(*n.rel.workers.Load()) > 0 && (s.opts.Asleep[c.Name] && old[c.Name] == nil || awake.Add(1) > keepAwake) {
				n.rel.settle()
			}
			return nil
		})
	}
	_ = loading.Wait() // each next has its own error
	if p.whole && change.drop(ctx, nexts) {
		return change
	}
	s.swap(nexts, old, cfg, change)
	return change
}

// drop disposes of what was loaded if any of it could not be, and reports whether.
func (c *Change) drop(ctx context.Context, nexts []*next) bool {
	for _, n := range nexts {
		if n.err != nil {
			c.Failed[n.app.Name] = n.err
		}
	}
	if len(c.Failed) == 0 {
		return false
	}
	for _, n := range nexts {
		if n.rel != nil {
			_ = n.rel.retire(ctx) // nobody has called it
		}
	}
	return true
}

// swap puts what was loaded into effect.
func (s *Set) swap(nexts []*next, old map[string]*App, cfg *config.Config, change *Change) {
	apps := make(map[string]*App, len(nexts))
	var replaced []*release
	for _, n := range nexts {
		apps[n.app.Name] = n.app
		if n.kept {
			change.Unchanged = append(change.Unchanged, n.app.Name)
			continue
		}
		isNew := old[n.app.Name] == nil
		switch {
		case n.err != nil:
			change.Failed[n.app.Name] = n.err
		case isNew:
			change.Added = append(change.Added, n.app.Name)
		case n.rel != nil || n.app.differs(n.cfg):
			change.Changed = append(change.Changed, n.app.Name)
		default:
			change.Unchanged = append(change.Unchanged, n.app.Name)
		}
	}
	// Those that are new are there before anybody is sent to them.
	adopt := func(isNew bool) {
		for _, n := range nexts {
			if isNew != (old[n.app.Name] == nil) {
				continue
			}
			if r := n.app.adopt(n); r != nil {
				replaced = append(replaced, r)
			}
		}
	}
	adopt(true)
	s.routes(nexts)
	adopt(false)
	s.apps.Store(&apps)
	for name, a := range old {
		if apps[name] == nil {
			change.Removed = append(change.Removed, name)
			if r := a.current.Swap(nil); r != nil {
				replaced = append(replaced, r)
			}
		}
	}
	slices.Sort(change.Removed)
	var later []*release
	for _, n := range nexts {
		if n.later && n.err == nil {
			later = append(later, n.rel)
			change.Later = append(change.Later, n.app.Name)
		}
	}
	s.tryLater(later)
	for _, r := range replaced {
		done := make(chan error, 1)
		change.retired = append(change.retired, done)
		s.retiring.Add(1)
		go func() {
			defer s.retiring.Done()
			ctx, cancel := context.WithTimeoutCause(context.Background(), cfg.Server.DrainTimeout,
				fmt.Errorf("app %q had not drained after %s", r.app.Name, cfg.Server.DrainTimeout))
			defer cancel()
			done <- r.retire(ctx)
		}()
	}
}

// routes swaps the host table. An app that could not be loaded keeps the hosts that it
// had, as far as nobody else has them now.
func (s *Set) routes(nexts []*next) {
	var entries []vhost.Entry[*App]
	taken := make(map[string]bool)
	var fallback **App
	add := func(n *next, c config.App) {
		for _, h := range c.Hosts {
			if !taken[h.String()] {
				taken[h.String()] = true
				entries = append(entries, vhost.Entry[*App]{Pattern: h, Value: n.app})
			}
		}
		if c.Default && fallback == nil {
			fallback = &n.app
		}
	}
	for _, n := range nexts {
		if n.err == nil && !n.stuck {
			add(n, n.cfg)
		}
	}
	for _, n := range nexts {
		if n.err != nil || n.stuck {
			if r := n.app.current.Load(); r != nil {
				add(n, r.cfg)
			} else {
				add(n, n.cfg)
			}
		}
	}
	table, err := vhost.NewTable(entries, fallback)
	if err != nil {
		panic(err) // config has made sure that no host is there twice
	}
	s.router.Swap(table)
}

// differs reports whether c asks for something else than what the app was last asked
// to run.
func (a *App) differs(c config.App) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return !a.cfg.Same(c)
}

// errStopped is why nothing is loaded any more.
var errStopped = errors.New("the process is stopping")

// load says how to load an app.
type load struct {
	by    string
	check bool // only if that makes another version than the one that serves
	force bool // from its files, whatever the store has
}

// load makes the app's next version and warms it, unless it slept before and is known to
// load. later says that it slept, and is to be tried when it serves: all that is new
// about it is the program. The release is nil with check, where that would be what
// serves already.
func (a *App) load(ctx context.Context, cfg config.App, l load) (_ *release, later bool, err error) {
	r, err := newRelease(a, cfg, l.by)
	if err != nil || !r.runs() {
		return r, false, err
	}
	defer func() {
		if err != nil {
			_ = r.retire(ctx) // it has no isolate to drain
		}
	}()
	var e *entry
	if s := a.set.store; s != nil && !l.force {
		if e = s.find(cfg); e != nil && e.Program != s.program {
			if a.set.opts.Asleep[a.Name] && a.current.Load() == nil {
				return r, true, nil
			}
			e = nil
		}
	}
	if e != nil {
		r.module.found(e)
	} else if err := r.build(ctx); err != nil {
		return nil, false, err
	}
	hash := r.hash(r.module.hash)
	if now := a.current.Load(); l.check && now != nil && now.cfg.Same(cfg) && now.known().Hash == hash {
		return nil, false, r.retire(ctx) // it has no isolate to drain
	}
	v, resumed := a.numbered(hash, l.by)
	held := time.Duration(0)
	if a.current.Load() == nil {
		held = a.quarantine.concerns(hash, time.Now())
	}
	if held > 0 && !resumed {
		return nil, false, fmt.Errorf("it crashed an earlier process: it may be tried again in %s", held.Round(time.Second))
	}
	if held == 0 && (!resumed || !a.set.opts.Asleep[a.Name] || r.module.good != hash) {
		if err := r.warm(ctx, true); err != nil {
			return nil, false, err
		}
	}
	r.version.Store(&v)
	return r, false, nil
}

// settle puts a release to sleep that was only to be tried.
func (r *release) settle() {
	if ws := *r.workers.Load(); len(ws) > 0 {
		r.keep(ws[0])
	}
	r.sleep()
}

// keepVersions is how many versions of an app are remembered.
const keepVersions = 10

// numbered is nextVersion for those who don't hold the lock.
func (a *App) numbered(hash, by string) (v Version, resumed bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.nextVersion(hash, by)
}

// nextVersion numbers what is being loaded. What an earlier process served last, and
// comes back as it was, is no new version. The lock is held.
func (a *App) nextVersion(hash, by string) (v Version, resumed bool) {
	var last Version
	if n := len(a.versions); n > 0 {
		last = a.versions[n-1]
	}
	if a.resumed && last.Hash == hash {
		return last, true
	}
	return Version{Number: last.Number + 1, Hash: hash, Since: time.Now().Round(time.Millisecond), By: by}, false
}

// record adds a version to those that served; the lock is held.
func (a *App) record(v Version) {
	a.resumed = false
	if n := len(a.versions); n > 0 && a.versions[n-1].Number == v.Number {
		return
	}
	kept := a.versions[max(len(a.versions)-keepVersions+1, 0):]
	a.versions = append(append([]Version(nil), kept...), v)
}

// adopt makes the outcome of a change the app's own, and returns what it replaced.
func (a *App) adopt(n *next) (replaced *release) {
	if n.stuck {
		return nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.problem = n.err
	a.cfg = n.cfg
	if n.err != nil {
		return nil
	}
	a.gate.resize(n.cfg.Limits.Concurrency)
	switch {
	case n.rel != nil:
		// What comes back in another process goes on as it was.
		if a.current.Load() != nil {
			a.quarantine.lift()
		}
		if v := n.rel.version.Load(); v != nil {
			a.record(*v)
		}
		return a.current.Swap(n.rel)
	case !n.cfg.Enabled:
		a.quarantine.lift()
		return a.current.Swap(nil)
	}
	return nil
}
