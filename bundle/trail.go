package bundle

import (
	"fmt"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/evanw/esbuild/pkg/api"
)

// A Stamp is what a path led to: a file, a folder, or nothing. A file whose bytes have
// changed, and a folder with other names in it, have another stamp.
type Stamp struct {
	Path  string `json:"path"`
	Mode  uint32 `json:"mode,omitempty"` // 0: there was nothing
	Inode uint64 `json:"inode,omitempty"`
	Size  int64  `json:"size,omitempty"`  // bytes
	Mtime int64  `json:"mtime,omitempty"` // ns, as Ctime
	Ctime int64  `json:"ctime,omitempty"` // which nobody can set back
}

func stampOf(path string) Stamp {
	s := Stamp{Path: path}
	var st unix.Stat_t
	if unix.Stat(path, &st) == nil {
		s.Mode, s.Inode, s.Size, s.Mtime, s.Ctime = st.Mode, st.Ino, st.Size, st.Mtim.Nano(), st.Ctim.Nano()
	}
	return s
}

func (s Stamp) is(kind uint32) bool { return s.Mode&unix.S_IFMT == kind }

// Unchanged reports whether everything that decided a build is as it was: another build
// would come to the same.
func Unchanged(made []Stamp) bool {
	return len(made) > 0 && !slices.ContainsFunc(made, func(s Stamp) bool { return stampOf(s.Path) != s })
}

const (
	// maxSettings is the size in bytes of the largest package.json or tsconfig.json.
	maxSettings = 10 << 20
	// maxStamps is how much a trail holds before it is given up.
	maxStamps = 20_000
	// tick is how far apart two changes are that a file's times tell apart, and
	// coarseTick where the file system counts in seconds.
	tick       = 20 * time.Millisecond
	coarseTick = 2 * time.Second
)

// settingsFiles decide how esbuild reads what lies in their folder and below.
var settingsFiles = []string{"package.json", "tsconfig.json", "jsconfig.json"}

// A trail is all that decides what a build comes to: the files that are read, and the
// places where one would be read instead if it were there. Each is looked at before
// esbuild does. Where settings are no plain files, which esbuild would read whole all the
// same, it says so. There are others that it doesn't know of (.pnp.cjs, what a package's
// "main" and "exports" lead to): for those BuildApart has its bounds.
type trail struct {
	began time.Time

	mu     sync.Mutex // guards the fields below
	stamps map[string]Stamp
	seen   map[string]bool // folders whose settings are in stamps
	lost   bool            // something can't be followed
}

func newTrail() *trail {
	return &trail{began: time.Now(), stamps: make(map[string]Stamp), seen: make(map[string]bool)}
}

// made is the trail, or nil where it doesn't tell for sure: a change just before the
// build, or while it went on, may or may not have been seen.
func (t *trail) made() []Stamp {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.lost || len(t.stamps) > maxStamps {
		return nil
	}
	made := make([]Stamp, 0, len(t.stamps))
	for _, s := range t.stamps {
		safe := tick
		if s.Ctime%int64(time.Second) == 0 {
			safe = coarseTick
		}
		if s.Ctime > t.began.Add(-safe).UnixNano() {
			return nil
		}
		made = append(made, s)
	}
	slices.SortFunc(made, func(a, b Stamp) int { return strings.Compare(a.Path, b.Path) })
	return made
}

// note adds a path; the lock is held.
func (t *trail) note(path string) Stamp {
	s, ok := t.stamps[path]
	if !ok {
		s = stampOf(path)
		t.stamps[path] = s
	}
	return s
}

// folder notes what is in dir: another file there might be found first.
func (t *trail) folder(dir string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.note(dir)
}

// loads follows esbuild to a file that it is about to read.
func (t *trail) loads(path string) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.note(path)
	t.note(filepath.Dir(path))
	return t.settings(filepath.Dir(path))
}

// asks follows an import to wherever esbuild looks for it.
func (t *trail) asks(dir, path string) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case dir == "" || strings.HasPrefix(path, "#") || strings.Contains(path, ":"):
		return nil // package.json says all, or esbuild looks for no file
	case filepath.IsAbs(path):
		return t.place(path)
	case path == "." || path == ".." || strings.HasPrefix(path, "./") || strings.HasPrefix(path, "../"):
		return t.place(filepath.Join(dir, path))
	}
	parts := strings.SplitN(path, "/", 3)
	pkg := parts[0]
	if strings.HasPrefix(pkg, "@") && len(parts) > 1 {
		pkg += "/" + parts[1]
	}
	for a := range ancestors(dir) {
		modules := filepath.Join(a, "node_modules")
		if !t.note(modules).is(unix.S_IFDIR) {
			continue
		}
		if err := t.place(filepath.Join(modules, pkg)); err != nil {
			return err
		}
		if err := t.place(filepath.Join(modules, path)); err != nil {
			return err
		}
	}
	return nil
}

// place notes a path that may be a file, one with an extension to be found, or a folder.
func (t *trail) place(path string) error {
	for _, dir := range []string{filepath.Dir(path), path} {
		if !t.note(dir).is(unix.S_IFDIR) {
			return nil
		}
		if err := t.settings(dir); err != nil {
			return err
		}
	}
	return nil
}

// settings notes the settings of a folder and of those that it lies in, and returns what
// is wrong with them.
func (t *trail) settings(dir string) error {
	for dir := range ancestors(dir) {
		if t.seen[dir] {
			return nil
		}
		t.seen[dir] = true
		for _, name := range settingsFiles {
			path := filepath.Join(dir, name)
			s := t.note(path)
			if s.Mode == 0 || s.is(unix.S_IFDIR) {
				continue
			}
			if err := plain(s); err != nil {
				return err
			}
			if name != "package.json" && !inModules(path) {
				if err := t.tsconfig(path); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// plain is what is wrong with settings that can't be read safely.
func plain(s Stamp) error {
	switch {
	case !s.is(unix.S_IFREG):
		return fmt.Errorf("%q is not a regular file", s.Path)
	case s.Size > maxSettings:
		return fmt.Errorf("%q is too large: %d MiB, and %d MiB are allowed", s.Path, s.Size>>20, maxSettings>>20)
	}
	return nil
}

var (
	extends  = regexp.MustCompile(`"extends"\s*:\s*(\[[^\]]*\]|"(?:[^"\\]|\\.)*")`)
	quoted   = regexp.MustCompile(`"(?:[^"\\]|\\.)*"`)
	mapsPath = regexp.MustCompile(`"(?:paths|baseUrl)"\s*:`)
)

// tsconfig follows what a tsconfig.json builds upon, and where its "paths" may lead.
func (t *trail) tsconfig(path string) error {
	text, err := readRegular(path)
	if err != nil {
		t.lost = true
		return nil // esbuild says so
	}
	if mapsPath.Match(text) {
		t.tree(filepath.Dir(path))
	}
	for _, m := range extends.FindAllSubmatch(text, -1) {
		for _, q := range quoted.FindAllString(string(m[1]), -1) {
			name, err := strconv.Unquote(q)
			if err != nil {
				t.lost = true
				continue
			}
			if err := t.extended(filepath.Dir(path), name); err != nil {
				return err
			}
		}
	}
	return nil
}

// extended notes all that the "extends" of a tsconfig.json in dir may mean.
func (t *trail) extended(dir, name string) error {
	var places []string
	if filepath.IsAbs(name) || strings.HasPrefix(name, ".") {
		if !filepath.IsAbs(name) {
			name = filepath.Join(dir, name)
		}
		places = []string{name, name + ".json", filepath.Join(name, "tsconfig.json")}
	} else {
		for a := range ancestors(dir) {
			p := filepath.Join(a, "node_modules", name)
			places = append(places, p, p+".json", filepath.Join(p, "tsconfig.json"), filepath.Join(p, "package.json"))
		}
	}
	found := false
	for _, p := range places {
		_, known := t.stamps[p]
		s := t.note(p)
		if s.Mode == 0 || s.is(unix.S_IFDIR) {
			continue
		}
		if err := plain(s); err != nil {
			return err
		}
		if filepath.Base(p) == "package.json" {
			continue
		}
		found = true
		if !known {
			if err := t.tsconfig(p); err != nil {
				return err
			}
		}
	}
	t.lost = t.lost || !found
	return nil
}

// tree notes all folders below dir, but for those of packages and hidden ones.
func (t *trail) tree(dir string) {
	const most = 2000
	n := 0
	_ = filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		switch {
		case err != nil:
			t.lost = true
			return fs.SkipAll
		case !e.IsDir():
			return nil
		case path != dir && (e.Name() == "node_modules" || strings.HasPrefix(e.Name(), ".")):
			return fs.SkipDir
		}
		if n++; n > most {
			t.lost = true
			return fs.SkipAll
		}
		t.note(path)
		return nil
	})
}

// ancestors are dir and the folders that it lies in.
func ancestors(dir string) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for yield(dir) && dir != filepath.Dir(dir) {
			dir = filepath.Dir(dir)
		}
	}
}

// plugin must be the first: it only looks.
func (t *trail) plugin() api.Plugin {
	return api.Plugin{Name: "trail", Setup: func(b api.PluginBuild) {
		b.OnResolve(api.OnResolveOptions{Filter: ".*"}, func(args api.OnResolveArgs) (api.OnResolveResult, error) {
			return api.OnResolveResult{}, t.asks(args.ResolveDir, args.Path)
		})
	}}
}

// start looks at what esbuild reads before it resolves anything.
func (t *trail) start(dirs ...string) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, dir := range dirs {
		if err := t.settings(dir); err != nil {
			return err
		}
	}
	return nil
}
