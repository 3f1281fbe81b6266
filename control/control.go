// Package control makes what the configuration says what runs. It reads the
// configuration, applies it to the apps of a process, notices changes of files, takes
// changes from the admin API and keeps them in the state directory, and remembers what
// became of all that: outcomes, versions, events.
//
// It owns the order of changes: there is one at a time, over all generations of the
// program that share a state directory. How the configuration is written is package
// config's, how apps change while they serve is package app's, and who may ask for what
// is package admin's.
package control

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nano-runtime/nano/app"
	"github.com/nano-runtime/nano/config"
)

// Options say what to control.
type Options struct {
	Config config.Options
	// Load reads the configuration; nil is config.Load.
	Load func(config.Options) (*config.Config, error)
	Log  *slog.Logger
	// Successor says that an older generation still serves: this one must not take over
	// with less than that one has.
	Successor bool
	// Later says to serve at once, and to load apps as they are asked for. A successor
	// doesn't: it makes sure that it has what the older generation has.
	Later bool
	// Changed is called after each change, with the apps as they are then.
	Changed func()
}

// Controller holds what runs to what the configuration says. Its methods may be called
// from any goroutine, once Start has returned.
type Controller struct {
	opts   Options
	log    *slog.Logger
	state  *stateDir
	events events
	began  time.Time

	set    *app.Set
	server config.Server // in force in this process
	turn   chan struct{} // holds one token: whoever has it may change things
	stop   chan struct{} // closed by Close
	served chan struct{} // closed by Serving

	closing  sync.Once
	watching sync.WaitGroup
	watcher  atomic.Pointer[watcher] // nil: nothing is watched

	later  later
	before map[string][]app.Version // those of earlier processes

	quarantines map[string]app.Quarantine // that apps begin in
	crashed     time.Time                 // the last crash that is counted in them

	mu       sync.Mutex // guards the fields below
	cfg      *config.Config
	problems config.Problems // of the start
	last     Outcome
	loaded   int // outcomes without a failure
	failed   int // outcomes with one
}

// Open reads the configuration and what is known of earlier processes. The error is
// config.Problems where the configuration is at fault. Until Serving is called no other
// process that shares the state directory changes anything.
func Open(ctx context.Context, opts Options) (*Controller, error) {
	if opts.Load == nil {
		opts.Load = config.Load
	}
	c := &Controller{opts: opts, log: opts.Log, began: time.Now(), turn: make(chan struct{}, 1), stop: make(chan struct{}), served: make(chan struct{})}
	state, err := openState(ctx, opts.Config.StateDir, opts.Log)
	if err != nil {
		return nil, err
	}
	c.state = state
	cfg, err := c.load(config.Options{})
	if cfg == nil {
		state.unlock()
		return nil, err
	}
	errors.As(err, &c.problems)
	c.cfg, c.server = cfg, cfg.Server
	c.before = state.record.versions()
	c.judge(c.began)
	return c, nil
}

// load reads the configuration from disk, with change as far as it says.
func (c *Controller) load(change config.Options) (*config.Config, error) {
	o := c.opts.Config
	o.Put, o.Remove = change.Put, change.Remove
	return c.opts.Load(o)
}

// Config is the configuration that is in force.
func (c *Controller) Config() *config.Config {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.cfg
}

// Versions are those of earlier processes, for the app.Set that Start gets.
func (c *Controller) Versions() map[string][]app.Version { return c.state.record.versions() }

// Asleep are the apps that slept in the process before, for the app.Set that Start gets.
func (c *Controller) Asleep() map[string]bool { return c.state.record.asleep() }

// AppEvent is for app.Options.Event.
func (c *Controller) AppEvent(kind app.Event, name, text string) {
	c.events.publish(Event{Type: string(kind), App: name, Text: text})
	if kind == app.EventQuarantine {
		go c.noteSoon() // it may have to wait
	}
}

// Start loads all apps into set. Apps that can't be loaded don't keep the others from
// it; but a successor fails where an app would be lost that the older generation serves,
// or one is new and broken.
func (c *Controller) Start(ctx context.Context, set *app.Set) error {
	c.set = set
	by := "start"
	if c.opts.Successor {
		by = "signal"
		if asked := c.state.record.By; asked != "" {
			by = asked
		}
	}
	began := time.Now()
	load := set.Apply
	if c.opts.Later && !c.opts.Successor {
		load = func(ctx context.Context, cfg *config.Config, by string, _ ...string) *app.Change {
			return set.Begin(ctx, cfg, by)
		}
	}
	c.later.mu.Lock() // until the outcome is known that tried apps are counted in
	defer c.later.mu.Unlock()
	change := load(ctx, c.cfg, by)
	if err := ctx.Err(); err != nil {
		return err
	}
	o := c.outcome(began, by, change)
	o.Problems = append(o.Problems, c.problems...)
	left := make(map[string]bool, len(change.Later))
	for _, name := range change.Later {
		left[name] = true
	}
	c.state.record.compare(o, set, left)
	if c.opts.Successor {
		if err := c.state.record.missing(change); err != nil {
			return err
		}
	}
	c.settle(o)
	return nil
}

// Serving says that this process serves now: what changes in the state directory is its
// business, and no older generation's any more.
func (c *Controller) Serving() {
	if err := c.state.own(c.snapshot()); err != nil {
		c.log.Warn("cannot write to the state directory: versions will start anew", "error", err)
	}
	close(c.served)
	c.watchFiles()
}

// serves reports whether Serving has been called.
func (c *Controller) serves() bool {
	select {
	case <-c.served:
		return true
	default:
		return false
	}
}

// Close ends the watching of files, and all subscriptions, when the change under way is
// through.
func (c *Controller) Close() {
	c.closing.Do(func() {
		c.noteLast()
		close(c.stop)
		c.watching.Wait()
		c.events.close()
		c.turn <- struct{}{} // for good
		c.state.unlock()     // which is still held where Serving was never called
	})
}

// ErrHandedOver is the error of a change in a process that is no longer in charge of the
// state directory: the newer generation can be asked, on the same socket.
var ErrHandedOver = errors.New("a newer generation has taken over")

// change runs do when it is its turn, and as the only one on the state directory. What
// has begun is brought to its end, whatever becomes of those who asked for it.
func (c *Controller) change(ctx context.Context, do func(ctx context.Context) error) error {
	select {
	case <-c.served: // until then it has the lock, and the older generation the right
	case <-ctx.Done():
		return fmt.Errorf("the start took too long: %w", ctx.Err())
	case <-c.stop:
		return ErrHandedOver
	}
	select {
	case c.turn <- struct{}{}:
	case <-ctx.Done():
		return fmt.Errorf("another change took too long: %w", ctx.Err())
	case <-c.stop:
		return ErrHandedOver
	}
	defer func() { <-c.turn }()
	if err := c.state.lock(ctx); err != nil {
		return err
	}
	defer c.state.unlock()
	return do(context.WithoutCancel(ctx))
}

// adopt makes cfg what is in force.
func (c *Controller) adopt(cfg *config.Config) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cfg = cfg
}

// snapshot is what the next process should know.
func (c *Controller) snapshot() record {
	r := record{Apps: make(map[string]appRecord), Outcome: c.Last(), Crashed: c.crashed}
	for _, a := range c.set.Apps() {
		i := a.Info()
		// What served in the process before, and has not been tried yet, counts as serving.
		untried := i.State == app.Loading || i.State == app.Quarantined && i.Version.Number == 0
		r.Apps[a.Name] = appRecord{
			Versions: i.Versions, Quarantine: i.Quarantine,
			Serving:  i.Version.Number > 0 || untried && len(i.Versions) > 0,
			Disabled: i.State == app.Disabled,
			Asleep:   i.State == app.Sleeping || untried,
		}
	}
	return r
}

// with is the configuration in force with one app put in, or another in its place.
func (c *Controller) with(a config.App) *config.Config {
	next := *c.Config()
	next.Apps = slices.Clone(next.Apps)
	i, there := slices.BinarySearchFunc(next.Apps, a.Name, func(a config.App, name string) int {
		return strings.Compare(a.Name, name)
	})
	if there {
		next.Apps[i] = a
	} else {
		next.Apps = slices.Insert(next.Apps, i, a)
	}
	return &next
}

// without is the configuration in force but for one app.
func (c *Controller) without(name string) *config.Config {
	next := *c.Config()
	next.Apps = slices.DeleteFunc(slices.Clone(next.Apps), func(a config.App) bool { return a.Name == name })
	return &next
}
