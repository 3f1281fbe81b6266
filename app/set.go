package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/nano-runtime/nano/config"
	"github.com/nano-runtime/nano/daemon"
	"github.com/nano-runtime/nano/isolate"
	"github.com/nano-runtime/nano/vhost"
	"github.com/nano-runtime/nano/webapi"
)

const (
	// keepAwake is how many apps stay awake when they are loaded; more are only checked,
	// and made ready when somebody asks for them.
	keepAwake = 256
	// sweepEvery is how often the set looks for apps that may sleep.
	sweepEvery = time.Second
	// cleanEvery is how often the store is looked through.
	cleanEvery = time.Minute
	// trimAfter is how long after its last request an app gives back spare memory.
	trimAfter = 10 * time.Second
)

// Options says how the apps of a process run.
type Options struct {
	Log *slog.Logger
	// Dev shows exceptions, with their source, to the client: for one's own eyes.
	Dev bool
	// Versions are those of earlier processes, oldest first, by app: numbers go on from
	// there, and an app that comes back as it was keeps its last one.
	Versions map[string][]Version
	// Asleep are apps that slept in the process before. Those that come back as they were
	// sleep on, where it is known that they can be loaded.
	Asleep map[string]bool
	// Quarantines are those of the process before, by app. They are over where the app
	// comes back as another version.
	Quarantines map[string]Quarantine
	// Crashes names a file, or is "". Which app and request run when a signal ends the
	// process is appended to it (isolate.ReadCrashes).
	Crashes string
	// Cache is a directory of this user's. What apps are made of is kept there: it needs
	// no memory while they sleep, and isn't made anew by the next process. "": there is
	// none.
	Cache string
	// Tried is told of an app that was left for later, when it has been loaded, or could
	// not be.
	Tried func(app string)
	// Cores is how many apps run JavaScript at once; 0: as many as Go runs goroutines.
	Cores int
	// Event is told what happens to apps by itself. It must not block.
	Event func(kind Event, app, text string)
	// ThreadLost is called when the process has lost a thread for good, each time.
	ThreadLost func(total int)
}

// Event is a kind of thing that happens to an app without anybody changing it.
type Event string

// The events.
const (
	EventLimit      Event = "limit" // a request hit a limit
	EventQuarantine Event = "quarantine"
	EventSleep      Event = "sleep"
	EventWake       Event = "wake"
)

// Set is the apps of a process, and which host goes to which.
type Set struct {
	opts      Options
	log       *slog.Logger
	snapshot  *isolate.Snapshot
	scheduler *isolate.Scheduler
	router    vhost.Router[*App]
	apps      atomic.Pointer[map[string]*App] // replaced as a whole
	store     *store                          // nil: there is none
	buffers   sync.Pool
	slots     chan struct{} // has a token for each app that is being bundled for a request
	asked     atomic.Int64  // requests that wait for their app to be loaded
	threads   atomic.Int64  // lost for good
	stop      chan struct{}
	retiring  sync.WaitGroup

	ctx         context.Context // ends with the set
	cancel      context.CancelFunc
	loading     context.Context // ends with StopLoading
	stopLoading context.CancelFunc

	queue   sync.Mutex // guards the fields below
	untried []*release // left for later, and not yet tried
	trying  bool       // a goroutine is at it

	changing sync.Mutex // held while Apply changes things
	making   sync.Mutex // held while makeRoom takes isolates away
}

// NewSet starts V8 and its guard; there are no apps yet.
func NewSet(opts Options) (*Set, error) {
	opts.Cores = cmp.Or(opts.Cores, runtime.GOMAXPROCS(0))
	s := &Set{
		opts: opts, log: opts.Log, stop: make(chan struct{}),
		slots: make(chan struct{}, opts.Cores),
	}
	if opts.Crashes != "" {
		if err := isolate.RecordCrashes(opts.Crashes); err != nil {
			s.log.Warn("a crash of the process will not tell which app ran", "error", err)
		}
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.loading, s.stopLoading = context.WithCancel(s.ctx)
	take := isolate.NewSnapshot
	var err error
	if opts.Cache != "" && !opts.Dev {
		if s.store, err = openStore(opts.Cache, opts.Log); err != nil {
			s.log.Info("no cache directory: apps that sleep stay in memory, and are bundled at each start", "error", err)
		} else {
			take = s.store.snapshot
		}
	}
	if s.snapshot, err = take(webapi.Prelude()); err != nil {
		return nil, err
	}
	s.scheduler = isolate.NewScheduler(opts.Cores)
	s.buffers.New = func() any { return new([readSize]byte) }
	s.apps.Store(&map[string]*App{})
	go s.sweep()
	go s.keepRoom()
	return s, nil
}

func (s *Set) event(kind Event, app, text string) {
	if s.opts.Event != nil {
		s.opts.Event(kind, app, text)
	}
}

func (s *Set) buffer() *[readSize]byte { return s.buffers.Get().(*[readSize]byte) }

// Serve answers one request: the app that its Host names does.
func (s *Set) Serve(x *daemon.Exchange) {
	host, err := vhost.Normalize(x.Host)
	if err != nil {
		respond(x, http.StatusBadRequest, "the Host header is malformed\n", "")
		return
	}
	a, ok := s.router.Lookup(host)
	if !ok {
		respond(x, http.StatusNotFound, "no app has this host\n", "")
		return
	}
	a.Serve(x)
}

// App is the app with that name, or nil.
func (s *Set) App(name string) *App { return (*s.apps.Load())[name] }

// Apps are all apps, by name.
func (s *Set) Apps() []*App {
	apps := *s.apps.Load()
	return slices.SortedFunc(maps.Values(apps), func(a, b *App) int {
		if a.Name < b.Name {
			return -1
		}
		return 1
	})
}

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

// sweep puts apps to sleep that nobody asks for.
func (s *Set) sweep() {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	clean := time.NewTicker(cleanEvery)
	defer clean.Stop()
	var cleaned *map[string]*App // the store has nothing that isn't these apps'
	lost := 0                    // of V8's own threads
	for {
		select {
		case <-s.stop:
			return
		case <-clean.C:
			if apps := s.apps.Load(); s.store != nil && apps != cleaned {
				s.store.sweep(*apps)
				cleaned = apps
			}
		case now := <-tick.C:
			for ; lost < isolate.LostWorkers(); lost++ {
				s.threadLost()
			}
			for _, a := range *s.apps.Load() {
				a.stats.tick()
				a.rest(now)
			}
		}
	}
}

// rest lets an idle app give back what it doesn't need.
func (a *App) rest(now time.Time) {
	r := a.current.Load()
	if r == nil || !r.runs() {
		return
	}
	if inside, _ := a.gate.count(); inside > 0 {
		return
	}
	idle := now.Sub(time.Unix(0, max(a.stats.last.Load(), r.woke.Load())))
	switch {
	case r.cfg.Idle > 0 && idle > r.cfg.Idle:
		if r.resting() {
			a.set.event(EventSleep, a.Name, "no request for "+r.cfg.Idle.String())
			r.sleep()
		} else if len(*r.workers.Load()) == 0 && r.source() != nil {
			r.sleep() // it lost its isolates
		}
	case idle > trimAfter && idle <= trimAfter+2*sweepEvery:
		ws := *r.workers.Load()
		if len(ws) > 0 {
			r.ripen(ws[0]) // before V8 lets go of what it has compiled
		}
		for _, w := range ws {
			w.isolate.Trim()
		}
	}
}

// threadLost notes that the process has a thread and a heap less.
func (s *Set) threadLost() {
	n := s.threads.Add(1)
	if s.opts.ThreadLost != nil {
		s.opts.ThreadLost(int(n))
	}
}

// Close drains every app until ctx ends, and disposes of them.
func (s *Set) Close(ctx context.Context) error {
	s.stopLoading()
	s.changing.Lock()
	defer s.changing.Unlock()
	close(s.stop)
	var g errgroup.Group
	for _, a := range *s.apps.Load() {
		if r := a.current.Swap(nil); r != nil {
			g.Go(func() error { return r.retire(ctx) })
		}
	}
	err := g.Wait()
	s.cancel()
	s.retiring.Wait()
	s.scheduler.Close()
	if s.store != nil {
		err = errors.Join(err, s.store.close())
	}
	return err
}
