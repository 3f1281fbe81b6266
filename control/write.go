package control

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/nano-runtime/nano/app"
	"github.com/nano-runtime/nano/config"
)

// Expect is what a writer takes for granted; the write fails where it isn't so.
type Expect struct {
	ETag   string // of the app, or, for a new one, of the list; "": any
	New    bool   // there is no such app
	Exists bool   // there is one
}

// What a write fails with, beside config.Problems and ErrHandedOver.
var (
	ErrNotFound = errors.New("there is no such app")
	ErrExists   = errors.New("there is such an app already")
	ErrStale    = errors.New("it has changed meanwhile")
	ErrNoState  = errors.New("this nano has no state directory to keep apps in")
)

// ForeignError is the error of a write to an app that stands in a file of the operator's.
type ForeignError struct{ App, File string }

func (e *ForeignError) Error() string {
	return fmt.Sprintf("app %q is configured in %s: change it there, then nano reload", e.App, e.File)
}

// LoadError is why an app could not be loaded; what served before serves on.
type LoadError struct {
	App string
	Err error
}

func (e *LoadError) Error() string { return fmt.Sprintf("cannot load app %q: %v", e.App, e.Err) }
func (e *LoadError) Unwrap() error { return e.Err }

// ETag tells apart what an app was configured as.
func ETag(a config.App) string {
	s := settings(a)
	var refs strings.Builder // %#v of a reference blots it out
	for _, name := range slices.Sorted(maps.Keys(a.Secrets)) {
		fmt.Fprintf(&refs, "%q=%q:%q ", name, a.Secrets[name].Kind, a.Secrets[name].Value)
	}
	s.Secrets, s.Egress = nil, nil // %#v of an address has a pointer of this process
	return tag(fmt.Sprintf("%#v %#v %s %s", a.Origin.File, s, refs.String(), a.Egress))
}

// ListETag does that for all apps.
func (c *Controller) ListETag() string {
	var all string
	for _, a := range c.Config().Apps {
		all += a.Name + ETag(a)
	}
	return tag(all)
}

func tag(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:8])
}

// settings are an app's without what is found out about it.
func settings(a config.App) config.App {
	a.Origin, a.Problems = config.Origin{}, nil
	return a
}

// Put makes an app of the state directory, or changes one: it is loaded and warmed
// first, and nothing changes where that fails, with config.Problems or a LoadError.
func (c *Controller) Put(ctx context.Context, draft *config.Draft, expect Expect, by string) (o *Outcome, err error) {
	err = c.change(ctx, func(ctx context.Context) error {
		if err := c.mayWrite(draft.Name(), expect); err != nil {
			return err
		}
		o, err = c.put(ctx, draft, by)
		return err
	})
	return o, err
}

// Enable turns an app of the state directory on or off. To turn on one that is on ends
// its quarantine, wherever it is configured.
func (c *Controller) Enable(ctx context.Context, name string, on bool, expect Expect, by string) (o *Outcome, err error) {
	err = c.change(ctx, func(ctx context.Context) error {
		began := time.Now()
		expect.Exists = true
		if a, ok := c.Config().App(name); ok && a.Enabled == on {
			if err := c.meets(a, true, expect); err != nil {
				return err
			}
			if on {
				c.set.App(name).Pardon()
				c.leave()
			}
			o = newOutcome(began, by)
			o.Unchanged = 1
			return nil
		}
		if err := c.mayWrite(name, expect); err != nil {
			return err
		}
		draft, err := config.ReadApp(c.opts.Config.StateDir, name)
		if err != nil {
			return err
		}
		o, err = c.put(ctx, draft.SetEnabled(on), by)
		return err
	})
	return o, err
}

// mayWrite is why a write may not be.
func (c *Controller) mayWrite(name string, expect Expect) error {
	if c.opts.Config.StateDir == "" {
		return ErrNoState
	}
	a, exists := c.Config().App(name)
	if err := c.meets(a, exists, expect); err != nil {
		return err
	}
	if exists && !a.Origin.State {
		return &ForeignError{name, a.Origin.File}
	}
	return nil
}

func (c *Controller) meets(a config.App, exists bool, expect Expect) error {
	switch {
	case exists && expect.New:
		return ErrExists
	case !exists && expect.Exists:
		return ErrNotFound
	case expect.ETag == "":
		return nil
	case exists && ETag(a) != expect.ETag, !exists && c.ListETag() != expect.ETag:
		return ErrStale
	}
	return nil
}

func (c *Controller) put(ctx context.Context, draft *config.Draft, by string) (*Outcome, error) {
	began := time.Now()
	name := draft.Name()
	cfg, err := c.load(config.Options{Put: draft})
	if cfg == nil {
		return nil, err
	}
	a, ok := cfg.App(name)
	if !ok {
		return nil, fmt.Errorf("the configuration has no app %q though it was put there", name)
	}
	if len(a.Problems) > 0 {
		return nil, a.Problems
	}
	next := c.with(a)
	if err := clash(next, a); err != nil {
		return nil, err
	}
	// What can go wrong on disk does so before anything runs.
	commit, discard, err := config.StageApp(c.opts.Config.StateDir, draft)
	if err != nil {
		return nil, err
	}
	defer discard()
	var force []string
	if now := c.set.App(name); now != nil {
		if _, problem := now.State(); problem != nil {
			force = append(force, name) // it could not be loaded as it is: try again
		}
	}
	change := c.set.Try(ctx, next, by, force...)
	if err := change.Failed[name]; err != nil {
		return nil, &LoadError{name, err}
	}
	if err := commit(); err != nil {
		c.set.Renew(ctx, c.Config(), "rollback")
		return nil, err
	}
	return c.done(began, by, next, change), nil
}

// done makes a change of one app what is in force.
func (c *Controller) done(began time.Time, by string, next *config.Config, change *app.Change) *Outcome {
	c.adopt(next)
	o := c.outcome(began, by, change)
	c.settle(o)
	c.leave()
	c.watchAgain(began)
	return o
}

// clash is what in the configuration in force is in the way of an app: the files on
// disk, which were checked, may already be different.
func clash(cfg *config.Config, a config.App) error {
	var problems config.Problems
	complain := func(format string, args ...any) {
		problems = append(problems, config.Problem{File: "request", Line: 1, Column: 1, Message: fmt.Sprintf(format, args...)})
	}
	for _, other := range cfg.Apps {
		if other.Name == a.Name {
			continue
		}
		if a.Default && other.Default {
			complain("app %q is the default in what runs; reload first if it no longer is", other.Name)
		}
		for _, h := range a.Hosts {
			for _, taken := range other.Hosts {
				if h == taken {
					complain("host %q is claimed by app %q in what runs; reload first if it no longer is", h, other.Name)
				}
			}
		}
	}
	if len(problems) > 0 {
		return problems
	}
	return nil
}

// Remove removes an app of the state directory. It returns when the app is gone and
// drained; the drain's error says what was cut off at its time-out.
func (c *Controller) Remove(ctx context.Context, name string, expect Expect, by string) (o *Outcome, drain, err error) {
	var change *app.Change
	err = c.change(ctx, func(ctx context.Context) error {
		began := time.Now()
		expect.Exists = true
		if err := c.mayWrite(name, expect); err != nil {
			return err
		}
		if err := config.RemoveApp(c.opts.Config.StateDir, name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		next := c.without(name)
		change = c.set.Try(ctx, next, by)
		o = c.done(began, by, next, change)
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	return o, change.Wait(), nil
}
