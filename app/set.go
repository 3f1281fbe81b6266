package app

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"maps"
	"net/http"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

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
	// Bundler is a command line of this program that bundles an app in a process of its
	// own, as bundle.BuildApart wants it; none: this process does, as for who runs an app of his own.
	Bundler []string
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
	building  chan struct{} // has a token for each app that is being bundled
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
		slots: make(chan struct{}, opts.Cores), building: make(chan struct{}, opts.Cores*buildsPerCore),
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
