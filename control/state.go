package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nano-runtime/nano/app"
)

// record is what a process leaves to the next one.
type record struct {
	Apps    map[string]appRecord `json:"apps"`
	Outcome Outcome              `json:"outcome"`
	// Crashed is the last crash that is counted in the apps' quarantines.
	Crashed time.Time `json:"crashed,omitzero"`
	// By is who asked for the generation that is being started.
	By string `json:"by,omitempty"`
}

type appRecord struct {
	Versions []app.Version `json:"versions"`
	Serving  bool          `json:"serving"` // some version of it served
	Disabled bool          `json:"disabled,omitempty"`
	Asleep   bool          `json:"asleep,omitempty"`

	Quarantine *app.Quarantine `json:"quarantine,omitempty"`
}

func (r *record) versions() map[string][]app.Version {
	vs := make(map[string][]app.Version, len(r.Apps))
	for name, a := range r.Apps {
		vs[name] = a.Versions
	}
	return vs
}

// asleep are the apps that slept.
func (r *record) asleep() map[string]bool {
	names := make(map[string]bool)
	for name, a := range r.Apps {
		names[name] = a.Asleep
	}
	return names
}

// compare makes the outcome of a start say what is different from the process before:
// to that, every app of its own was new.
func (r *record) compare(o *Outcome, set *app.Set, left map[string]bool) {
	loaded := o.Added
	o.Added, o.Unchanged = []string{}, 0
	for _, name := range loaded {
		before, there := r.Apps[name]
		if left[name] {
			o.Loading++
			continue
		}
		i := set.App(name).Info()
		same := i.State == app.Disabled && before.Disabled ||
			before.Serving && len(before.Versions) > 0 && before.Versions[len(before.Versions)-1].Number == i.Version.Number
		switch {
		case !there:
			o.Added = append(o.Added, name)
		case same:
			o.Unchanged++
		default:
			o.Changed = append(o.Changed, name)
		}
	}
	for name := range r.Apps {
		if set.App(name) == nil {
			o.Removed = append(o.Removed, name)
		}
	}
	slices.Sort(o.Removed)
}

// missing is why a successor must not take over: apps that it could not load, and that
// the older generation serves or doesn't know.
func (r *record) missing(change *app.Change) error {
	var reasons []error
	for _, name := range slices.Sorted(maps.Keys(change.Failed)) {
		if before, there := r.Apps[name]; !there || before.Serving {
			reasons = append(reasons, &LoadError{name, change.Failed[name]})
		}
	}
	return errors.Join(reasons...)
}

// stateDir is the state directory as the generations share it. Whoever changes
// something in it holds the lock, and is its owner: the process that said so last.
type stateDir struct {
	path   string // "": there is none
	log    *slog.Logger
	self   string
	record record   // as this process found it
	owned  bool     // this process has been the owner
	held   *os.File // while it has the lock
}

const (
	lockFile   = "lock"
	recordFile = "running.json"
)

// openState locks the directory and reads what the last process has left.
func openState(ctx context.Context, path string, log *slog.Logger) (*stateDir, error) {
	s := &stateDir{path: path, log: log, self: fmt.Sprintf("%d %d", os.Getpid(), time.Now().UnixNano())}
	if path == "" {
		return s, nil
	}
	if err := s.lock(ctx); err != nil {
		return nil, err
	}
	data, err := os.ReadFile(filepath.Join(path, recordFile))
	if err == nil {
		err = json.Unmarshal(data, &s.record)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		log.Warn("cannot read what the last process left: versions start anew", "error", err)
		s.record = record{}
	}
	return s, nil
}

// lock waits until nobody else changes things. Without a directory, or without the right
// to write to it, there is nobody else.
func (s *stateDir) lock(ctx context.Context) error {
	if s.path == "" {
		return nil
	}
	f, err := os.OpenFile(filepath.Join(s.path, lockFile), os.O_RDWR|os.O_CREATE, 0o600)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) || errors.Is(err, unix.EROFS) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("cannot lock the state directory: %w", err)
	}
	if err := flock(ctx, f); err != nil {
		_ = f.Close()
		return fmt.Errorf("cannot lock the state directory, which another process changes: %w", err)
	}
	if s.owned {
		owner, err := os.ReadFile(f.Name())
		if err == nil && string(owner) != s.self {
			if lives(owner) {
				_ = f.Close()
				return ErrHandedOver
			}
			// Somebody removed the file, or tried another nano on this directory.
			err = s.sign(f)
		}
		if err != nil {
			_ = f.Close()
			return fmt.Errorf("cannot lock the state directory: %w", err)
		}
	}
	s.held = f
	return nil
}

// sign makes this process the owner. The file is never empty between.
func (s *stateDir) sign(f *os.File) error {
	if _, err := f.WriteAt([]byte(s.self), 0); err != nil {
		return err
	}
	return f.Truncate(int64(len(s.self)))
}

// lives reports whether the process that signed is still there.
func lives(owner []byte) bool {
	var pid int
	_, err := fmt.Sscan(string(owner), &pid)
	return err == nil && !errors.Is(unix.Kill(pid, 0), unix.ESRCH)
}

// flock waits for the lock of a file. The kernel takes it back from who dies.
func flock(ctx context.Context, f *os.File) error {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil || !errors.Is(err, unix.EWOULDBLOCK) && !errors.Is(err, unix.EINTR) {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (s *stateDir) unlock() {
	if s.held != nil {
		_ = s.held.Close()
		s.held = nil
	}
}

// own makes this process the owner, and ends the lock that it has had since it began.
func (s *stateDir) own(r record) error {
	defer s.unlock()
	if s.path == "" {
		return nil
	}
	s.record = record{}
	if s.held == nil {
		return fmt.Errorf("%s is missing, or not this user's to write", s.path)
	}
	if err := s.sign(s.held); err != nil {
		return err
	}
	s.owned = true
	return s.write(r)
}

// write leaves a record to the next process; the lock is held. It is not synced: what a
// crash of the machine costs is the numbers of versions.
func (s *stateDir) write(r record) error {
	if s.path == "" || s.held == nil {
		return nil
	}
	data, err := json.Marshal(r)
	if err != nil {
		return err
	}
	path := filepath.Join(s.path, recordFile)
	if err := os.WriteFile(path+".new", data, 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

// successor is what the process that has taken over made of its start; a note where there
// is no way to tell.
func (s *stateDir) successor(ctx context.Context) (*Outcome, error) {
	if s.path == "" || !s.owned {
		o := newOutcome(time.Now(), "")
		o.Notes = append(o.Notes, "the new generation serves; without a state directory that can be written, only nano status tells what became of the apps")
		return o, nil
	}
	// It has the lock from its beginning until it has left its record.
	if err := s.lock(ctx); err == nil {
		s.unlock()
		return nil, errors.New("the new generation serves, but can't write to the state directory")
	} else if !errors.Is(err, ErrHandedOver) {
		return nil, err
	}
	var r record
	data, err := os.ReadFile(filepath.Join(s.path, recordFile))
	if err == nil {
		err = json.Unmarshal(data, &r)
	}
	if err != nil {
		return nil, fmt.Errorf("the new generation serves, but left no word of it: %w", err)
	}
	return &r.Outcome, nil
}
