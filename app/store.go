package app

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nano-runtime/nano/bundle"
	"github.com/nano-runtime/nano/config"
	"github.com/nano-runtime/nano/isolate"
)

const (
	// storeFolder is the store's place in the cache directory. Whoever can write there can
	// run code in every app: it is the daemon's user's alone.
	storeFolder = "apps"
	// maxEntry is the size of the largest entry that is kept, and maxStore that of all
	// together, in bytes.
	maxEntry = 256 << 20
	maxStore = 4 << 30
	// maxHead bounds the part of an entry that says what it is, in bytes.
	maxHead = 16 << 20
	// strayAfter is the age of a file that somebody began to write and never finished.
	strayAfter = 10 * time.Minute
	// An app has the entry of its newest version, and of the one before: that one may
	// still serve, in an older generation.
	newestEntry = ".app"
	olderEntry  = ".app.1"
	// snapshotFile is V8's heap as the prelude leaves it.
	snapshotFile = "snapshot"
)

// store keeps what was made of the apps' files on disk, for the next wake and the next
// process. Whatever is wrong with an entry, it is as good as not there.
type store struct {
	root    *os.Root
	program string // whose entries can be used
	log     *slog.Logger
	failed  atomic.Bool // it was said that nothing can be written

	mu     sync.Mutex // held while an entry is written; guards the fields below
	writes int        // tells apart the files that are being written
	closed bool
}

// openStore needs a folder that this user may write to.
func openStore(dir string, log *slog.Logger) (*store, error) {
	path := filepath.Join(dir, storeFolder)
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, err
	}
	s := &store{root: root, program: program(), log: log}
	if err := s.private(); err != nil {
		return nil, errors.Join(err, root.Close())
	}
	return s, nil
}

// private sees to it that nobody else can write there.
func (s *store) private() error {
	d, err := s.root.Open(".")
	if err != nil {
		return err
	}
	defer d.Close()
	var st unix.Stat_t
	if err := unix.Fstat(int(d.Fd()), &st); err != nil {
		return err
	}
	if int(st.Uid) != os.Geteuid() {
		return fmt.Errorf("%s belongs to another user", s.root.Name())
	}
	if st.Mode&0o022 != 0 {
		return fmt.Errorf("others may write to %s: remove it", s.root.Name())
	}
	return d.Chmod(0o700)
}

// program tells this program from others, and from other versions of it.
func program() string {
	var st unix.Stat_t
	if err := unix.Stat("/proc/self/exe", &st); err != nil {
		return ""
	}
	return fmt.Sprintf("%d %d %d %d", st.Size, st.Ino, st.Mtim.Nano(), st.Ctim.Nano())
}

// close ends the use of the store when nothing is written any more.
func (s *store) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	return s.root.Close()
}

// snapshot makes V8's snapshot, or restores the one that the process before made. Code
// caches are only good for the very same: the program's entries are those made with it.
func (s *store) snapshot(prelude string) (*isolate.Snapshot, error) {
	data, err := s.root.ReadFile(snapshotFile)
	head := sha256.Sum256([]byte(s.program + prelude))
	if n := len(head); err == nil && len(data) > 2*n && bytes.Equal(data[:n], head[:]) {
		if sum := sha256.Sum256(data[2*n:]); bytes.Equal(data[n:2*n], sum[:]) {
			s.program += " " + hex.EncodeToString(sum[:8])
			return isolate.RestoreSnapshot(prelude, data[2*n:]), nil
		}
	}
	snap, err := isolate.NewSnapshot(prelude)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(snap.Bytes())
	s.program += " " + hex.EncodeToString(sum[:8])
	s.put(snapshotFile, slices.Concat(head[:], sum[:], snap.Bytes()), nil)
	return snap, nil
}

// entry is what the store knows of a version of an app.
type entry struct {
	Program string         `json:"program"` // that made it
	App     string         `json:"app"`
	Root    string         `json:"root"` // these two as the configuration has them
	Entry   string         `json:"entry"`
	Hash    string         `json:"hash"` // of the code
	Inputs  []string       `json:"inputs"`
	Made    []bundle.Stamp `json:"made"` // what decided the code
	// Good is the version that was evaluated, and could be.
	Good string `json:"good"`
	// Ripe says that the code cache has the functions that requests use, too.
	Ripe bool `json:"ripe"`
	// The sizes of the parts in bytes, and their sum's SHA-256.
	Code  int    `json:"code"`
	Map   int    `json:"map"`
	Cache int    `json:"cache"`
	Sum   []byte `json:"sum"`
}

// parts are what an app is run from.
type parts struct {
	code, deflatedMap, cache []byte
}

// The layout of an entry: entryMagic, the length of the head, the head as JSON, its
// SHA-256, and the parts.
const entryMagic = "nano app 1\n"

func (e *entry) encode(p parts) ([]byte, error) {
	body := slices.Concat(p.code, p.deflatedMap, p.cache)
	sum := sha256.Sum256(body)
	e.Code, e.Map, e.Cache, e.Sum = len(p.code), len(p.deflatedMap), len(p.cache), sum[:]
	head, err := json.Marshal(e)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	b.WriteString(entryMagic)
	b.Write(binary.BigEndian.AppendUint32(nil, uint32(len(head))))
	b.Write(head)
	sum = sha256.Sum256(head)
	b.Write(sum[:])
	b.Write(body)
	return b.Bytes(), nil
}

var errDamaged = errors.New("the entry is damaged")

// readHead reads what an entry is, and leaves r before its parts, of size bytes in all.
func readHead(r io.Reader, size int64) (*entry, error) {
	start := make([]byte, len(entryMagic)+4)
	if _, err := io.ReadFull(r, start); err != nil || string(start[:len(entryMagic)]) != entryMagic {
		return nil, errDamaged
	}
	n := int64(binary.BigEndian.Uint32(start[len(entryMagic):]))
	if n > maxHead || n > size {
		return nil, errDamaged
	}
	head := make([]byte, n+sha256.Size)
	if _, err := io.ReadFull(r, head); err != nil {
		return nil, errDamaged
	}
	if sum := sha256.Sum256(head[:n]); !bytes.Equal(sum[:], head[n:]) {
		return nil, errDamaged
	}
	e := new(entry)
	if json.Unmarshal(head[:n], e) != nil || e.Code < 0 || e.Map < 0 || e.Cache < 0 {
		return nil, errDamaged
	}
	if int64(e.Code)+int64(e.Map)+int64(e.Cache) != size-int64(len(start)+len(head)) {
		return nil, errDamaged
	}
	return e, nil
}

func (e *entry) readParts(r io.Reader) (p parts, err error) {
	body := make([]byte, e.Code+e.Map+e.Cache)
	if _, err := io.ReadFull(r, body); err != nil {
		return parts{}, errDamaged
	}
	if sum := sha256.Sum256(body); !bytes.Equal(sum[:], e.Sum) {
		return parts{}, errDamaged
	}
	p.code, p.deflatedMap, p.cache = body[:e.Code:e.Code], body[e.Code:e.Code+e.Map:e.Code+e.Map], body[e.Code+e.Map:]
	return p, nil
}

// open opens an entry and reads its head.
func (s *store) open(name string) (*os.File, *entry, error) {
	f, err := s.root.OpenFile(name, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, nil, err
	}
	fi, err := f.Stat()
	if err == nil && (!fi.Mode().IsRegular() || fi.Size() > maxEntry) {
		err = errDamaged
	}
	var e *entry
	if err == nil {
		e, err = readHead(f, fi.Size())
	}
	if err != nil {
		f.Close()
		return nil, nil, err
	}
	return f, e, nil
}

// find is the newest entry of an app that its files still make, as far as can be told
// without making it; nil if there is none. What another program made must be tried anew,
// but would seem to be no other version.
func (s *store) find(cfg config.App) *entry {
	for _, slot := range []string{newestEntry, olderEntry} {
		f, e, err := s.open(cfg.Name + slot)
		if err != nil {
			continue
		}
		f.Close()
		if e.App == cfg.Name && e.Root == cfg.Root && e.Entry == cfg.Entry && bundle.Unchanged(e.Made) {
			return e
		}
	}
	return nil
}

// read is what the app's version with that code is run from.
func (s *store) read(app, hash string) (*entry, parts, error) {
	for _, slot := range []string{newestEntry, olderEntry} {
		f, e, err := s.open(app + slot)
		if err != nil {
			continue
		}
		if e.App != app || e.Hash != hash {
			f.Close()
			continue
		}
		p, err := e.readParts(f)
		f.Close()
		if e.Program != s.program {
			p.cache, e.Good, e.Ripe = nil, "", false
		}
		return e, p, err
	}
	return nil, parts{}, fs.ErrNotExist
}

// write puts an entry in the place of the newest, which moves on if it is another
// version. It reports whether the entry is there now.
func (s *store) write(e *entry, p parts) bool {
	e.Program = s.program
	data, err := e.encode(p)
	if err != nil || len(data) > maxEntry {
		return false
	}
	name := e.App + newestEntry
	return s.put(name, data, func() error {
		f, old, err := s.open(name)
		if err != nil {
			return nil // there is none
		}
		f.Close()
		if old.Hash == e.Hash {
			return nil
		}
		return s.root.Rename(name, e.App+olderEntry)
	})
}

// put writes a file that is there whole or not at all. before is called when all is
// written.
func (s *store) put(name string, data []byte, before func() error) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.writes++
	temp := fmt.Sprintf("%s.%d-%d.tmp", name, os.Getpid(), s.writes)
	err := s.root.WriteFile(temp, data, 0o600)
	if err == nil && before != nil {
		err = before()
	}
	if err == nil {
		err = s.root.Rename(temp, name)
	}
	if err != nil {
		_ = s.root.Remove(temp) // which may not even be there
		if !s.failed.Swap(true) {
			s.log.Warn("cannot write to the cache directory: apps are kept in memory", "error", err)
		}
		return false
	}
	return true
}

// sweep removes what belongs to none of the apps, and the oldest entries where all of
// them take too much room.
func (s *store) sweep(apps map[string]*App) {
	type file struct {
		name string
		size int64
		at   time.Time
	}
	var kept []file
	var total int64
	list, err := fs.ReadDir(s.root.FS(), ".")
	if err != nil {
		return
	}
	for _, d := range list {
		fi, err := d.Info()
		if err != nil || d.Name() == snapshotFile {
			continue
		}
		name, isNewest := strings.CutSuffix(d.Name(), newestEntry)
		name, isOlder := strings.CutSuffix(name, olderEntry)
		if isNewest || isOlder {
			if apps[name] != nil {
				kept = append(kept, file{d.Name(), fi.Size(), fi.ModTime()})
				total += fi.Size()
				continue
			}
		} else if time.Since(fi.ModTime()) < strayAfter {
			continue
		}
		_ = s.root.RemoveAll(d.Name()) // next time, if not now
	}
	slices.SortFunc(kept, func(a, b file) int { return a.at.Compare(b.at) })
	for _, f := range kept {
		if total <= maxStore {
			return
		}
		total -= f.size
		_ = s.root.Remove(f.name)
	}
}
