package control

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/nano-runtime/nano/app"
	"github.com/nano-runtime/nano/config"
)

// Outcome is what became of a change, or of the start.
type Outcome struct {
	At        time.Time       `json:"at"`
	By        string          `json:"by"`
	Millis    float64         `json:"took_ms"`
	Added     []string        `json:"added"`
	Changed   []string        `json:"changed"`
	Removed   []string        `json:"removed"`
	Unchanged int             `json:"unchanged"`
	Loading   int             `json:"loading"`  // left for later by the start; each is counted above when it has been tried
	Failed    []Failure       `json:"failed"`   // apps that could not be loaded; what they had serves on
	Problems  config.Problems `json:"problems"` // of the configuration
	Notes     []string        `json:"notes"`    // what else there is to know
}

// Failure is why an app could not be loaded.
type Failure struct {
	App    string `json:"app"`
	Reason string `json:"reason"`
}

// OK reports whether all is as it was asked for.
func (o *Outcome) OK() bool { return len(o.Failed) == 0 && len(o.Problems) == 0 }

// Err is all that went wrong, nil if nothing did.
func (o *Outcome) Err() error {
	if o.OK() {
		return nil
	}
	var lines []string
	for _, p := range o.Problems {
		lines = append(lines, p.String())
	}
	for _, f := range o.Failed {
		lines = append(lines, fmt.Sprintf("cannot load app %q: %s", f.App, f.Reason))
	}
	return errors.New(strings.Join(lines, "\n"))
}

// outcome tells of a change to the apps.
func (c *Controller) outcome(began time.Time, by string, change *app.Change) *Outcome {
	o := newOutcome(began, by)
	o.Added = append(o.Added, change.Added...)
	o.Changed = append(o.Changed, change.Changed...)
	o.Removed = append(o.Removed, change.Removed...)
	o.Unchanged = len(change.Unchanged)
	for _, name := range slices.Sorted(maps.Keys(change.Failed)) {
		o.Failed = append(o.Failed, Failure{name, change.Failed[name].Error()})
	}
	return o
}

func newOutcome(began time.Time, by string) *Outcome {
	return &Outcome{
		At: began.Round(time.Millisecond), By: by, Millis: float64(time.Since(began).Microseconds()) / 1000,
		Added: []string{}, Changed: []string{}, Removed: []string{}, Failed: []Failure{}, Problems: config.Problems{}, Notes: []string{},
	}
}

// settle makes an outcome the last one and tells everybody.
func (c *Controller) settle(o *Outcome) {
	c.mu.Lock()
	c.last = *o
	if o.OK() {
		c.loaded++
	} else {
		c.failed++
	}
	c.mu.Unlock()
	tell := func(level slog.Level, kind, name, text string) {
		e := Event{Type: kind, App: name, Text: text, By: o.By}
		attrs := []slog.Attr{slog.String("app", name), slog.String("by", o.By)}
		if a := c.set.App(name); a != nil && kind != EventFailed {
			v := a.Info().Version
			e.Version = v.Number
			attrs = append(attrs, slog.Int("app_version", v.Number), slog.String("hash", v.Hash))
		}
		c.events.publish(e)
		if text != "" {
			text = ": " + text
		}
		c.log.LogAttrs(context.Background(), level, "app "+kind+text, attrs...)
	}
	for _, name := range o.Added {
		tell(slog.LevelInfo, EventAdded, name, "")
	}
	for _, name := range o.Changed {
		tell(slog.LevelInfo, EventChanged, name, "")
	}
	for _, name := range o.Removed {
		tell(slog.LevelInfo, EventRemoved, name, "")
	}
	for _, f := range o.Failed {
		tell(slog.LevelError, EventFailed, f.App, f.Reason)
	}
	for _, p := range o.Problems {
		c.log.Error("configuration: "+p.String(), "by", o.By)
	}
	for _, n := range o.Notes {
		c.log.Warn(n, "by", o.By)
	}
	c.log.Info("applied: "+o.Summary(), "by", o.By)
	c.events.publish(Event{Type: EventReload, Text: o.Summary(), By: o.By})
	if c.opts.Changed != nil {
		c.opts.Changed()
	}
}

// Summary is the outcome in a line.
func (o *Outcome) Summary() string {
	var parts []string
	add := func(n int, what string) {
		if n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, what))
		}
	}
	add(len(o.Added), "added")
	add(len(o.Changed), "changed")
	add(len(o.Removed), "removed")
	add(o.Unchanged, "unchanged")
	add(o.Loading, "loading")
	add(len(o.Failed), "failed")
	switch n := len(o.Problems); {
	case n == 1:
		parts = append(parts, "1 problem in the configuration")
	case n > 1:
		parts = append(parts, fmt.Sprintf("%d problems in the configuration", n))
	}
	switch {
	case len(parts) > 0:
	case len(o.Notes) > 0:
		return "see the notes"
	default:
		return "no apps"
	}
	return strings.Join(parts, ", ")
}

// Last is the outcome of the last change, or of the start.
func (c *Controller) Last() Outcome {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.last
}

// Counts are how many changes went well, and how many didn't, the start included.
func (c *Controller) Counts() (loaded, failed int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.loaded, c.failed
}

// serverNotes says which settings of [server] wait for a new generation.
func (c *Controller) serverNotes(now config.Server) (notes []string) {
	was, is := reflect.ValueOf(c.server), reflect.ValueOf(now)
	for _, f := range []struct{ field, key string }{
		{"Listen", "listen"},
		{"Admin", "admin"},
		{"Log", "log"},
		{"AccessLog", "access_log"},
		{"Watch", "watch"},
		{"TrustedProxies", "trusted_proxies"},
	} {
		if !reflect.DeepEqual(was.FieldByName(f.field).Interface(), is.FieldByName(f.field).Interface()) {
			notes = append(notes, fmt.Sprintf("[server] %s has changed: it counts from the next generation on (nano reload)", f.key))
		}
	}
	return notes
}
