package config

import (
	"encoding/binary"
	"hash/fnv"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// A target is a path that is watched.
type target struct {
	path     string
	tree     bool // with all that is below it
	needs    map[string]map[string]bool
	polled   bool   // events alone don't tell all of its changes
	reported string // why it is polled

	seen snapshot
}

// A snapshot is what was there at a path.
type snapshot struct {
	real string // the path without links, "" if there is nothing
	self print  // of a file

	// folders has the prints of the names in a folder, by its path below real:
	// "." is real itself.
	folders map[string]map[string]print
}

// A print changes when a file does. That of a folder is of its identity alone.
type print uint64

// scan looks at a target, makes sure of the watches that it needs, and returns
// the paths that have changed since the last scan; on the first one, those that
// have changed after since.
func (w *Watcher) scan(t *target, since time.Time) map[string]bool {
	first := t.needs == nil
	s := &scanner{watcher: w, target: t, since: since, changed: make(map[string]bool)}
	s.needs = make(map[string]map[string]bool)
	var now snapshot
	now.real = s.resolve(t.path)
	info, err := os.Stat(now.real)
	switch {
	case now.real == "" || err != nil:
		now.real = ""
	case info.IsDir():
		s.print(t.path, info)
		now.folders = make(map[string]map[string]print)
		s.folder(now, ".")
	default:
		now.self = s.print(t.path, info)
	}
	err = w.want(t, s.needs)
	t.polled = err != nil
	if err != nil {
		w.report(t, err)
	}
	if !first {
		clear(s.changed)
		s.compare(t.seen, now)
	}
	t.seen = now
	return s.changed
}

type scanner struct {
	watcher *Watcher
	target  *target
	since   time.Time
	needs   map[string]map[string]bool // names of interest by folder; nil: all
	changed map[string]bool
}

// need notes that the target needs events of a folder, and sees to it at once,
// so that whatever happens after the folder is read will be told.
func (s *scanner) need(dir string, name string) {
	names, ok := s.needs[dir]
	switch {
	case name == "":
		names = nil
	case !ok:
		names = map[string]bool{name: true}
	case names != nil:
		names[name] = true
	}
	s.needs[dir] = names
	_ = s.watcher.need(s.target, dir, names) // want tries again, and says why not
}

// resolve returns a path without its links, "" if it leads nowhere. Where a
// link, the end or the gap is, a change can lead elsewhere: it needs events.
func (s *scanner) resolve(path string) string {
	const mostLinks = 40 // as in Linux
	at, rest, links := "/", parts(path), 0
	for len(rest) > 0 {
		name := rest[0]
		rest = rest[1:]
		if name == ".." {
			at = filepath.Dir(at)
			continue
		}
		next := filepath.Join(at, name)
		info, err := os.Lstat(next)
		link := err == nil && info.Mode()&fs.ModeSymlink != 0
		if err != nil || link || len(rest) == 0 {
			s.need(at, name)
		}
		if err != nil {
			return ""
		}
		if !link {
			at = next
			continue
		}
		s.noteRecent(s.target.path, info)
		to, err := os.Readlink(next)
		if links++; err != nil || links > mostLinks {
			return ""
		}
		if filepath.IsAbs(to) {
			at = "/"
		}
		rest = append(parts(to), rest...)
	}
	return at
}

// parts splits a path into names, and leaves ".." for links to be followed
// before it.
func parts(path string) []string {
	var names []string
	for name := range strings.SplitSeq(path, "/") {
		if name != "" && name != "." {
			names = append(names, name)
		}
	}
	return names
}

// folder reads a folder of the target and, if it is a tree, what is below.
func (s *scanner) folder(now snapshot, rel string) {
	dir := filepath.Join(now.real, rel)
	s.need(dir, "")
	entries, err := os.ReadDir(dir)
	if err != nil {
		return // it is gone, or closed: no names
	}
	prints := make(map[string]print, len(entries))
	now.folders[rel] = prints
	for _, e := range entries {
		name := e.Name()
		if ignored(name) {
			continue
		}
		// A link counts as what it leads to, but is not gone into: it may lead
		// back here.
		path := filepath.Join(dir, name)
		if e.Type()&fs.ModeSymlink != 0 {
			s.resolve(path)
		}
		info, err := os.Stat(path)
		if err != nil {
			if info, err = os.Lstat(path); err != nil {
				continue
			}
		}
		prints[name] = s.print(filepath.Join(s.target.path, rel, name), info)
		if s.target.tree && e.IsDir() {
			s.folder(now, filepath.Join(rel, name))
		}
	}
}

// print returns the print of what is at path.
func (s *scanner) print(path string, info fs.FileInfo) print {
	s.noteRecent(path, info)
	var b [40]byte
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		binary.LittleEndian.PutUint64(b[0:], stat.Ino)
		binary.LittleEndian.PutUint64(b[8:], stat.Dev)
	}
	binary.LittleEndian.PutUint64(b[16:], uint64(info.Mode()))
	if !info.IsDir() {
		binary.LittleEndian.PutUint64(b[24:], uint64(info.Size()))
		binary.LittleEndian.PutUint64(b[32:], uint64(info.ModTime().UnixNano()))
	}
	h := fnv.New64a()
	h.Write(b[:])
	return print(h.Sum64())
}

// noteRecent notes a path as changed if that was after since: the content, the
// mode or the name, or in a folder a name.
func (s *scanner) noteRecent(path string, info fs.FileInfo) {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if ok && !s.since.IsZero() && time.Unix(stat.Ctim.Unix()).After(s.since.Add(-clockTick)) {
		s.changed[path] = true
	}
}

// clockTick is how far the times of files may lag behind the clock.
const clockTick = 10 * time.Millisecond

// compare notes the paths at which two snapshots differ. What is in a folder
// that has come or gone is not listed.
func (s *scanner) compare(old, now snapshot) {
	if old.real != now.real || old.self != now.self || (old.folders == nil) != (now.folders == nil) {
		s.changed[s.target.path] = true
		return
	}
	for rel, before := range old.folders {
		after, ok := now.folders[rel]
		if !ok {
			continue
		}
		for name, p := range before {
			if q, ok := after[name]; !ok || p != q {
				s.changed[filepath.Join(s.target.path, rel, name)] = true
			}
		}
		for name := range after {
			if _, ok := before[name]; !ok {
				s.changed[filepath.Join(s.target.path, rel, name)] = true
			}
		}
	}
}

// hasEvents reports whether the file system of a folder tells of all changes:
// network file systems know only of those made on this machine.
func hasEvents(dir string) bool {
	var st syscall.Statfs_t
	if err := syscall.Statfs(dir, &st); err != nil {
		return true // the folder is gone; asking for its events will say so
	}
	switch uint32(st.Type) {
	case 0x6969, // NFS
		0x517b, 0xff534d42, 0xfe534d42, // SMB, CIFS, SMB2
		0x65735546, // FUSE
		0x01021997, // 9P
		0x786f4256, // VirtualBox
		0x00c36400, // Ceph
		0x5346414f: // AFS
		return false
	}
	return true
}
