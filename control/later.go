package control

import (
	"context"
	"log/slog"
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
	mu    sync.Mutex // guards the fields below
	due   bool       // there is something to write down, and it will be
	pause time.Duration
}

// AppTried is for app.Options.Tried.
func (c *Controller) AppTried(name string) {
	a := c.set.App(name)
	if a == nil {
		return
	}
	c.tellTried(a.Info())
	c.later.mu.Lock()
	defer c.later.mu.Unlock()
	if !c.later.due {
		c.later.due = true
		time.AfterFunc(max(noteAfter, c.later.pause), c.noteTried)
	}
}

// tellTried says what is new about an app.
func (c *Controller) tellTried(i app.Info) {
	e := Event{App: i.Name, By: "start", Version: i.Version.Number}
	attrs := []slog.Attr{slog.String("app", i.Name), slog.String("by", e.By)}
	level, text := slog.LevelInfo, ""
	switch {
	case i.State == app.Failed && i.Problem != nil:
		e.Type, e.Text, level, text = EventFailed, i.Problem.Error(), slog.LevelError, ": "+i.Problem.Error()
	case i.Version.Number > 0 && !i.Version.Since.Before(c.began.Round(time.Millisecond)):
		e.Type = EventChanged
		if len(i.Versions) == 1 {
			e.Type = EventAdded
		}
		attrs = append(attrs, slog.Int("app_version", i.Version.Number), slog.String("hash", i.Version.Hash))
	default:
		return // it came back as it was
	}
	c.events.publish(e)
	c.log.LogAttrs(context.Background(), level, "app "+e.Type+text, attrs...)
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
