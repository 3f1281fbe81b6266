package control

import (
	"context"
	"errors"
	"time"

	"github.com/nano-runtime/nano/config"
)

// Reload applies the configuration on disk in this process: apps that it asks to be
// otherwise are changed, and those whose files make another version; those that could
// not be loaded are tried again. A configuration with problems changes nothing, and they
// are in the outcome.
func (c *Controller) Reload(ctx context.Context, by string) (*Outcome, error) {
	var o *Outcome
	err := c.change(ctx, func(ctx context.Context) error {
		var names []string
		for _, a := range c.set.Apps() {
			names = append(names, a.Name)
		}
		o = c.reload(ctx, by, names)
		return nil
	})
	return o, err
}

// reload applies the configuration on disk, and looks at the files of the apps named.
func (c *Controller) reload(ctx context.Context, by string, names []string) *Outcome {
	began := time.Now()
	cfg, err := c.load(config.Options{})
	if cfg == nil {
		return c.reject(began, by, err)
	}
	change := c.set.Refresh(ctx, cfg, by, names...)
	c.adopt(cfg)
	o := c.outcome(began, by, change)
	o.Notes = append(o.Notes, c.serverNotes(cfg.Server)...)
	c.settle(o)
	c.leave()
	c.watchAgain(began)
	return o
}

// reject tells of a configuration that can't be had.
func (c *Controller) reject(began time.Time, by string, err error) *Outcome {
	o := newOutcome(began, by)
	if !errors.As(err, &o.Problems) {
		o.Problems = config.Problems{{File: c.opts.Config.Path, Line: 1, Column: 1, Message: err.Error()}}
	}
	c.settle(o)
	return o
}

// ReloadApp loads one app anew, as it is configured on disk, whether or not anything has
// changed. The other apps stay as they are. Where it fails, with config.Problems or a
// LoadError, the version that there was serves on.
func (c *Controller) ReloadApp(ctx context.Context, name, by string) (*Outcome, error) {
	var o *Outcome
	err := c.change(ctx, func(ctx context.Context) error {
		began := time.Now()
		if _, ok := c.Config().App(name); !ok {
			return ErrNotFound
		}
		cfg, err := c.load(config.Options{})
		if cfg == nil {
			return err
		}
		a, ok := cfg.App(name)
		if !ok {
			return ErrNotFound
		}
		next := c.with(a)
		if err := clash(next, a); err != nil {
			return err
		}
		change := c.set.Renew(ctx, next, by, name)
		o = c.done(began, by, next, change)
		if err := change.Failed[name]; err != nil {
			return &LoadError{name, err}
		}
		return nil
	})
	return o, err
}

// leave writes down what the next process should know.
func (c *Controller) leave() {
	if err := c.state.write(c.snapshot()); err != nil {
		c.log.Warn("cannot write to the state directory: versions will start anew", "error", err)
	}
}

// Upgrade calls start, which makes a new generation take over, for whom by names, and
// returns what that one has made of it.
func (c *Controller) Upgrade(ctx context.Context, by string, start func(context.Context) error) (*Outcome, error) {
	if err := c.ask(ctx, by); err != nil {
		return nil, err
	}
	if err := start(ctx); err != nil {
		return nil, err
	}
	return c.successor(ctx)
}

// successor waits its turn to ask the state directory.
func (c *Controller) successor(ctx context.Context) (*Outcome, error) {
	select {
	case c.turn <- struct{}{}:
		defer func() { <-c.turn }()
		return c.state.successor(ctx)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// ask writes down who wants the next generation.
func (c *Controller) ask(ctx context.Context, by string) error {
	return c.change(ctx, func(context.Context) error {
		r := c.snapshot()
		r.By = by
		if err := c.state.write(r); err != nil { // a full disk keeps nobody from a new generation
			c.log.Warn("cannot write to the state directory who asks for a new generation", "error", err)
		}
		return nil
	})
}
