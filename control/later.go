package control

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/nano-runtime/nano/app"
)

const (
	// noteAfter is how long after an app was tried that is written down, together with
	// what else came meanwhile.
	noteAfter = time.Second
	// noteShare bounds the part of the time that this takes: one in so many.
	noteShare = 20
)

// later gathers what becomes of the apps that the start left for later.
type later struct {
	mu    sync.Mutex // guards the fields below; taken before Controller.mu
	due   bool       // there is something to write down, and it will be
	pause time.Duration
}

// AppTried is for app.Options.Tried.
func (c *Controller) AppTried(name string) {
	a := c.set.App(name)
	if a == nil {
		return
	}
	c.later.mu.Lock()
	defer c.later.mu.Unlock()
	c.tellTried(a.Info())
	c.noteSoonLocked()
}

// noteSoon sees to it that what is known is written down.
func (c *Controller) noteSoon() {
	c.later.mu.Lock()
	defer c.later.mu.Unlock()
	c.noteSoonLocked()
}

// noteSoonLocked is noteSoon for those who hold the lock.
func (c *Controller) noteSoonLocked() {
	if !c.later.due {
		c.later.due = true
		time.AfterFunc(max(noteAfter, c.later.pause), c.noteTried)
	}
}

// tellTried says what is new about an app.
func (c *Controller) tellTried(i app.Info) {
	e := Event{App: i.Name, By: "start", Version: i.Version.Number}
	before := c.before[i.Name]
	o := newOutcome(c.began, e.By)
	attrs := []slog.Attr{slog.String("app", i.Name), slog.String("by", e.By)}
	level, text := slog.LevelInfo, ""
	switch {
	case i.State == app.Failed && i.Problem != nil:
		e.Type, e.Text, level, text = EventFailed, i.Problem.Error(), slog.LevelError, ": "+i.Problem.Error()
		o.Failed = append(o.Failed, Failure{i.Name, e.Text})
	case i.Version.Number == 0:
		return
	case len(before) == 0:
		e.Type = EventAdded
		o.Added = append(o.Added, i.Name)
	case before[len(before)-1].Number != i.Version.Number:
		e.Type = EventChanged
		o.Changed = append(o.Changed, i.Name)
	default: // it came back as it was
		o.Unchanged++
	}
	c.count(o)
	if e.Type == "" {
		return
	}
	attrs = append(attrs, slog.Int("app_version", i.Version.Number), slog.String("hash", i.Version.Hash))
	c.events.publish(e)
	c.log.LogAttrs(context.Background(), level, "app "+e.Type+text, attrs...)
}

// count moves an app that has been tried to where it belongs in the outcome of the start,
// if nothing has been changed since.
func (c *Controller) count(tried *Outcome) {
	c.mu.Lock()
	defer c.mu.Unlock()
	o := &c.last
	if o.Loading == 0 {
		return
	}
	o.Loading--
	o.Added = slices.Concat(o.Added, tried.Added)
	o.Changed = slices.Concat(o.Changed, tried.Changed)
	o.Failed = slices.Concat(o.Failed, tried.Failed)
	o.Unchanged += tried.Unchanged
	if len(tried.Failed) > 0 && len(o.Failed) == 1 && len(o.Problems) == 0 {
		c.loaded--
		c.failed++
	}
}

// noteTried writes down what is known now, and watches the files that the apps turned
// out to be made of.
func (c *Controller) noteTried() {
	began := time.Now()
	c.later.mu.Lock()
	c.later.due = false
	c.later.mu.Unlock()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		select {
		case <-c.stop:
			cancel()
		case <-ctx.Done():
		}
	}()
	err := c.change(ctx, func(context.Context) error {
		c.leave()
		if w := c.watcher.Load(); w != nil {
			w.set(c, c.began)
		}
		if c.opts.Changed != nil {
			c.opts.Changed()
		}
		return nil
	})
	if err != nil {
		return // another process does it
	}
	c.later.mu.Lock()
	defer c.later.mu.Unlock()
	c.later.pause = noteShare * time.Since(began)
}

// noteLast writes down what noteTried would in a moment.
func (c *Controller) noteLast() {
	c.later.mu.Lock()
	due := c.later.due
	c.later.mu.Unlock()
	if !due || !c.serves() {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), noteAfter)
	defer cancel()
	_ = c.change(ctx, func(context.Context) error { // another process may be in charge
		c.leave()
		return nil
	})
}
