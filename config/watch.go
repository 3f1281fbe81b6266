package config

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/fsnotify/fsnotify"
)

// WatchOptions say how to watch.
type WatchOptions struct {
	Settle     time.Duration // quiet after the last change before it is told; 0: 100 ms
	Poll       time.Duration // between looks at what has no events; 0: 2 s
	MaxWatches int           // folders watched by events, the others are polled; 0: 32,768

	// Report, if not nil, is told what can't be watched by events, and why.
	// It is called on the watcher's goroutine and must not call the Watcher.
	Report func(error)
}

// A Watcher tells when files change. Events of the file system only say when
// to look: what has changed is found by comparing what is there with what was,
// so that editors that replace files, links that are swapped, folders that
// come and go and events that are lost all end in the same answer.
type Watcher struct {
	options WatchOptions
	changes chan []string
	sets    chan setRequest
	done    chan struct{}

	// The rest belongs to the goroutine of run.
	events  *fsnotify.Watcher // nil: there are no events at all
	add     func(dir string) error
	targets map[string]*target
	watches map[string]*watch // by real path of a folder
	dirty   map[*target]bool
	pending map[string]bool // paths to tell
}

type setRequest struct {
	files, folders []string
	since          time.Time
	done           chan struct{}
}

// A watch is a folder whose events are asked for.
type watch struct {
	// interest has the targets that the folder has a part of: for the names
	// given, or, if nil, for all names that aren't ignored.
	interest map[*target]map[string]bool
}

// NewWatcher starts a watcher of nothing, which runs until ctx is done. It
// works without events, by polling, if there can be none.
func NewWatcher(ctx context.Context, o WatchOptions) *Watcher {
	w := newWatcher(o)
	events, err := fsnotify.NewWatcher()
	if err == nil {
		w.events, w.add = events, events.Add
	} else {
		w.add = func(string) error { return err }
	}
	go w.run(ctx)
	return w
}

func newWatcher(o WatchOptions) *Watcher {
	if o.Settle == 0 {
		o.Settle = 100 * time.Millisecond
	}
	if o.Poll == 0 {
		o.Poll = 2 * time.Second
	}
	if o.MaxWatches == 0 {
		o.MaxWatches = 32768
	}
	return &Watcher{
		options: o,
		changes: make(chan []string),
		sets:    make(chan setRequest),
		done:    make(chan struct{}),
		targets: make(map[string]*target),
		watches: make(map[string]*watch),
		dirty:   make(map[*target]bool),
		pending: make(map[string]bool),
	}
}

// Changes tells which paths have changed since the last receive, sorted. It is
// closed when the watcher's context is done.
func (w *Watcher) Changes() <-chan []string { return w.changes }

// Set replaces what is watched: files, which may also be folders of files and
// may not be there yet, and folders with all that is below them. All paths are
// absolute. Once it returns, every later change will be told. What is watched
// anew and has changed after since, the moment at which the caller began to
// read it, is told as well. Set may be called from any goroutine.
func (w *Watcher) Set(files, folders []string, since time.Time) {
	r := setRequest{files, folders, since, make(chan struct{})}
	select {
	case w.sets <- r:
		<-r.done
	case <-w.done:
	}
}

const (
	// mostSettles bounds how often changes that don't end may put off that
	// they are told.
	mostSettles = 20

	// share bounds the part of the time that looking takes: one in so many.
	share = 20
)

func (w *Watcher) run(ctx context.Context) {
	defer close(w.changes)
	defer close(w.done)
	var events chan fsnotify.Event
	var failures chan error
	if w.events != nil {
		events, failures = w.events.Events, w.events.Errors
		defer w.events.Close()
	}
	settle, poll := time.NewTimer(0), time.NewTimer(w.options.Poll)
	<-settle.C
	var firstHint, nextLook time.Time // zero: nothing is dirty, at once
	hinted := func() {
		now := time.Now()
		if firstHint.IsZero() {
			firstHint = now
		}
		latest := firstHint.Add(mostSettles * w.options.Settle)
		settle.Reset(max(min(w.options.Settle, latest.Sub(now)), nextLook.Sub(now)))
	}
	for {
		var out chan []string
		var paths []string
		if len(w.pending) > 0 && firstHint.IsZero() {
			out, paths = w.changes, slices.Sorted(maps.Keys(w.pending))
		}
		select {
		case <-ctx.Done():
			return
		case r := <-w.sets:
			told := len(w.pending)
			w.set(r)
			close(r.done)
			if len(w.pending) > told {
				hinted() // whoever writes may not be through yet
			}
		case e := <-events:
			if w.hint(e) {
				hinted()
			}
		case <-failures:
			// Events were lost (ErrEventOverflow): look everywhere.
			for _, t := range w.targets {
				w.dirty[t] = true
			}
			hinted()
		case <-settle.C:
			began := time.Now()
			for t := range w.dirty {
				w.look(t)
			}
			clear(w.dirty)
			firstHint, nextLook = time.Time{}, time.Now().Add(share*time.Since(began))
		case <-poll.C:
			began := time.Now()
			for _, t := range w.targets {
				if t.polled && w.look(t) {
					w.dirty[t] = true // it may go on
					hinted()
				}
			}
			poll.Reset(max(w.options.Poll, share*time.Since(began)))
		case out <- paths:
			clear(w.pending)
		}
	}
}

// set is Set on the watcher's goroutine.
func (w *Watcher) set(r setRequest) {
	wanted := make(map[string]*target)
	for _, path := range r.folders {
		wanted[filepath.Clean(path)] = &target{path: filepath.Clean(path), tree: true}
	}
	for _, path := range r.files {
		if path = filepath.Clean(path); wanted[path] == nil {
			wanted[path] = &target{path: path}
		}
	}
	for path, t := range w.targets {
		if new := wanted[path]; new != nil && new.tree == t.tree {
			wanted[path] = t
			continue
		}
		delete(w.dirty, t)
		w.want(t, nil)
	}
	old := w.targets
	w.targets = wanted
	for path, t := range wanted {
		if old[path] == t {
			continue
		}
		maps.Copy(w.pending, w.scan(t, r.since))
	}
}

// look scans a target again, notes what has changed, and reports whether
// anything has.
func (w *Watcher) look(t *target) bool {
	changed := w.scan(t, time.Time{})
	maps.Copy(w.pending, changed)
	return len(changed) > 0
}

// hint marks the targets that an event may be about, and reports whether there
// are any.
func (w *Watcher) hint(e fsnotify.Event) bool {
	found := false
	if own := w.watches[e.Name]; own != nil {
		for t := range own.interest {
			w.dirty[t] = true
			found = true
		}
		if e.Has(fsnotify.Remove) || e.Has(fsnotify.Rename) {
			delete(w.watches, e.Name) // fsnotify has ended it
		}
	}
	name := filepath.Base(e.Name)
	if parent := w.watches[filepath.Dir(e.Name)]; parent != nil {
		for t, names := range parent.interest {
			if names[name] || names == nil && !ignored(name) {
				w.dirty[t] = true
				found = true
			}
		}
	}
	return found
}

var errTooManyWatches = errors.New("more folders than are watched by events")

// want makes sure of the watches that a target needs, and ends those that it
// alone needed before. It returns why one can't be had.
func (w *Watcher) want(t *target, needs map[string]map[string]bool) error {
	for dir := range t.needs {
		if _, ok := needs[dir]; ok {
			continue
		}
		if watch := w.watches[dir]; watch != nil {
			delete(watch.interest, t)
			if len(watch.interest) == 0 {
				delete(w.watches, dir)
				if w.events != nil {
					// An error means that the folder is gone, and its watch too.
					_ = w.events.Remove(dir)
				}
			}
		}
	}
	t.needs = needs
	var failed error
	for dir, names := range needs {
		if err := w.need(t, dir, names); err != nil {
			failed = err
		}
	}
	return failed
}

// need makes sure of one watch.
func (w *Watcher) need(t *target, dir string, names map[string]bool) error {
	if w.watches[dir] == nil {
		if len(w.watches) >= w.options.MaxWatches {
			return errTooManyWatches
		}
		if !hasEvents(dir) {
			return fmt.Errorf("the file system of %s has no events", dir)
		}
		if err := w.add(dir); err != nil {
			return explainInotify(err)
		}
		w.watches[dir] = &watch{interest: make(map[*target]map[string]bool)}
	}
	w.watches[dir].interest[t] = names
	return nil
}

// explainInotify names the limit behind an error of inotify that doesn't.
func explainInotify(err error) error {
	switch {
	case errors.Is(err, syscall.ENOSPC):
		return errors.New("the system's limit fs.inotify.max_user_watches is reached")
	case errors.Is(err, syscall.EMFILE):
		return errors.New("the system's limit fs.inotify.max_user_instances, or that of open files, is reached")
	}
	return err
}

func (w *Watcher) report(t *target, err error) {
	if err.Error() == t.reported {
		return
	}
	t.reported = err.Error()
	if w.options.Report != nil {
		w.options.Report(fmt.Errorf("cannot watch %s by events, so it is looked at every %s: %w", t.path, formatDuration(w.options.Poll), err))
	}
}

// ignored reports whether a file or folder is of no interest by its name: what
// is hidden, what npm installs, and what editors leave for a moment.
func ignored(name string) bool {
	switch {
	case strings.HasPrefix(name, "."), name == "node_modules",
		strings.HasSuffix(name, "~"), strings.HasPrefix(name, "#"),
		strings.HasSuffix(name, ".swp"), strings.HasSuffix(name, ".swx"), strings.HasSuffix(name, ".tmp"),
		strings.HasSuffix(name, "___jb_tmp___"), strings.HasSuffix(name, "___jb_old___"),
		name == "4913": // vim tries with it whether a folder can be written to
		return true
	}
	return false
}
