package config

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/nano-runtime/nano/vhost"
)

// resolve makes an app of its settings, the defaults and its own files. The
// problems are those of the configuration; those of the files are also the
// app's.
func (l *loader) resolve(s *appSettings) (App, Problems) {
	var own Problems
	defaults := l.defaults
	root := absolute(s.dir, s.root.value)
	enabled := s.enabled.or(defaults.enabled).orValue(true)
	origin := Origin{File: s.source.path, Line: s.at.line, State: s.source.state}
	if s.root.absent() {
		own = append(own, s.at.problem(`app %q has no root; add root = "/srv/%s", the folder of its files`, s.name, s.name))
	}

	// The files of a disabled app may be gone: that may be why it is disabled.
	files := &appFiles{app: s.name, root: root}
	look := enabled && s.root.given && files.checkRoot(s.root)
	if look && s.entry.absent() && s.assets.absent() && s.env == nil {
		s, origin.Wrangler, look = files.wrangler(s)
	}
	a := App{
		Name:     s.name,
		Root:     root,
		NotFound: s.notFound.or(defaults.notFound).value,
		Default:  s.isDefault.or(defaults.isDefault).value,
		Enabled:  enabled,
		Env:      values(defaults.env, s.env),
		Secrets:  values(defaults.secrets, s.secrets),
		Egress:   s.egress.or(defaults.egress).value,
		Idle:     s.idle.or(defaults.idle).orValue(builtinIdle),
		Limits:   limits(s, defaults),
		Origin:   origin,
	}
	if a.NotFound == "none" {
		a.NotFound = ""
	}
	a.Hosts = make([]vhost.Pattern, len(s.hosts.patterns))
	for i, host := range s.hosts.patterns {
		a.Hosts[i] = host.value
	}
	keepOwn(a.Env, defaults.env, s.secrets)
	keepOwn(a.Secrets, defaults.secrets, s.env)

	assets := s.assets.or(defaults.assets)
	if s.notFound.given && assets.absent() && origin.Wrangler == "" {
		own = append(own, s.notFound.at.problem("not_found says what assets answer, and app %q has none; add assets, or leave the line out", s.name))
	}
	if look {
		a.Assets = files.assets(assets)
		a.Entry = files.entry(s, a.Assets, origin.Wrangler)
	}
	for i := range files.problems {
		files.problems[i].App = s.name
	}
	l.watch = append(l.watch, files.read...)
	a.Problems = files.problems
	return a, append(own, files.problems...)
}

func limits(s, defaults *appSettings) Limits {
	b := builtinLimits()
	return Limits{
		Memory:      s.memory.or(defaults.memory).orValue(b.Memory),
		CPU:         s.cpu.or(defaults.cpu).orValue(b.CPU),
		Timeout:     s.timeout.or(defaults.timeout).orValue(b.Timeout),
		Concurrency: s.concurrency.or(defaults.concurrency).orValue(b.Concurrency),
		Body:        s.body.or(defaults.body).orValue(b.Body),
		Isolates:    s.isolates.or(defaults.isolates).orValue(b.Isolates),
	}
}

// values merges maps key by key, the later over the earlier.
func values[T any](layers ...map[string]setting[T]) map[string]T {
	merged := make(map[string]T)
	for _, layer := range layers {
		for key, s := range layer {
			merged[key] = s.value
		}
	}
	return merged
}

// keepOwn takes from merged what is only a default and the app itself gives as
// the other of env and secrets.
func keepOwn[T, U any](merged map[string]T, defaults map[string]setting[T], own map[string]setting[U]) {
	maps.DeleteFunc(merged, func(key string, _ T) bool {
		_, isDefault := defaults[key]
		_, isOwn := own[key]
		return isDefault && isOwn
	})
}

// appFiles looks at the folder of one app.
type appFiles struct {
	app      string
	root     string // absolute
	problems Problems
	read     []string // absolute paths of the files that were
}

func (f *appFiles) problem(at place, format string, args ...any) {
	f.problems = append(f.problems, at.problem(format, args...))
}

// checkRoot reports whether the root is a folder that can be read.
func (f *appFiles) checkRoot(s setting[string]) bool {
	err := checkFolder(f.root)
	switch {
	case err == nil:
		return true
	case errors.Is(err, fs.ErrNotExist):
		f.problem(s.at, "root %q does not exist; create the folder, or correct the path", f.root)
	case errors.Is(err, errNoFolder):
		f.problem(s.at, "root %q is no folder; name the folder that holds the app's files", f.root)
	default:
		f.problem(s.at, "root %q can't be read: %s; let it be read, or correct the path", f.root, reason(err))
	}
	return false
}

var errNoFolder = errors.New("it is no folder")

// checkFolder returns why a folder can't be listed.
func checkFolder(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return errNoFolder
	}
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	defer dir.Close()
	// Opening it took the right to list it; this takes that to enter it.
	_, err = os.Stat(path + "/.")
	return err
}

// assets returns the absolute path of the app's static files, "" if it has
// none.
func (f *appFiles) assets(s setting[string]) string {
	if !s.given {
		return ""
	}
	path := absolute(f.root, s.value)
	err := checkFolder(path)
	switch {
	case !inside(f.root, path) || err == nil && !inside(realPath(f.root), realPath(path)):
		f.problem(s.at, "assets %q is outside of root %q, and no app may serve what isn't its own; move the folder into root", s.value, f.root)
	case errors.Is(err, fs.ErrNotExist):
		f.read = append(f.read, path) // it may come
		f.problem(s.at, "assets %q does not exist in %s; create the folder (is the app built?), or correct the path", s.value, f.root)
	case errors.Is(err, errNoFolder):
		f.problem(s.at, "assets %q is no folder; name the folder of the static files", s.value)
	case err != nil:
		f.problem(s.at, "assets %q can't be read: %s; let it be read, or correct the path", s.value, reason(err))
	}
	return path
}

// Folders returns what to watch of the app's files, for Watcher.Set: its root,
// and those that are hidden below it, such as the output of a build.
func (a App) Folders() []string {
	folders := []string{a.Root}
	for _, dir := range []string{filepath.Dir(a.Entry), a.Assets} {
		rel, err := filepath.Rel(a.Root, dir)
		if filepath.IsAbs(dir) && err == nil && inside(a.Root, dir) && slices.ContainsFunc(strings.Split(rel, "/"), hides) && !slices.Contains(folders, dir) {
			folders = append(folders, dir)
		}
	}
	return folders
}

// hides reports whether the watcher passes over what is in a folder.
func hides(name string) bool { return name != "." && ignored(name) }

// inside reports whether path is dir or below it.
func inside(dir, path string) bool {
	rel, err := filepath.Rel(dir, path)
	return err == nil && rel != ".." && !strings.HasPrefix(rel, ".."+string(filepath.Separator))
}

// realPath follows symbolic links as far as it can.
func realPath(path string) string {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		return real
	}
	return path
}

// String returns a short form of the limits for people.
func (l Limits) String() string {
	return fmt.Sprintf("memory %s, cpu %s, timeout %s, concurrency %d, body %s, isolates %d",
		formatSize(l.Memory), formatDuration(l.CPU), formatDuration(l.Timeout), l.Concurrency, formatSize(l.Body), l.Isolates)
}

// formatIdle writes Idle as the configuration does.
func formatIdle(d time.Duration) string {
	if d == 0 {
		return "never"
	}
	return formatDuration(d)
}
