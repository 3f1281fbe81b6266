package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/nano-runtime/nano/vhost"
)

// Load reads and checks a whole configuration. Its error is Problems: all that
// is wrong, not just the first thing. If each of them is of one app's own files
// (see Problem.App), the Config is returned as well, so that at start the other
// apps can serve; else it is nil.
func Load(o Options) (*Config, error) {
	l := &loader{names: make(map[string]place), server: builtinServer(), defaults: &appSettings{}}
	l.read(o)
	for _, doc := range l.documents {
		l.decode(doc)
	}
	l.checkHosts()
	l.checkDefault()
	return l.finish(filepath.Clean(o.Path))
}

// LoadFolder makes the configuration of one app that needs no file: of the
// folder at path, or with the file at path as its entry. The app takes every
// host. The error is as Load's.
func LoadFolder(path string) (*Config, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("cannot find folder %q: %w", path, err)
	}
	at := place{path, position{1, 1}}
	s := &appSettings{at: at, source: source{file: path, path: abs}}
	s.isDefault = setting[bool]{true, at, true}
	if info, err := os.Stat(abs); err == nil && !info.IsDir() {
		s.entry = setting[string]{abs, at, true}
		abs = filepath.Dir(abs)
	}
	s.root = setting[string]{abs, at, true}
	s.name = slug(filepath.Base(abs))
	if s.name == "" {
		s.name = "app"
	}
	l := &loader{server: builtinServer(), defaults: &appSettings{}, apps: []*appSettings{s}}
	return l.finish("")
}

// A source is a place that a document comes from.
type source struct {
	file  string // as messages name it
	path  string // absolute
	state bool   // in the state directory
}

// A document is a file of the configuration.
type document struct {
	source
	main     bool // it is nano.toml
	root     *node
	complete bool // root holds all of it
}

type loader struct {
	documents []*document
	order     []string // of files, for sorting problems
	watch     []string // absolute paths
	problems  Problems

	names    map[string]place // of apps
	server   Server
	defaults *appSettings
	apps     []*appSettings
	partial  []*appSettings // of files that end in a syntax error
}

func (l *loader) problem(p place, format string, args ...any) {
	l.problems = append(l.problems, p.problem(format, args...))
}

// read reads and parses all files.
func (l *loader) read(o Options) {
	path := filepath.Clean(o.Path)
	if doc := l.readFile(path, false); doc != nil {
		doc.main = true
	}
	for _, file := range l.list(filepath.Join(filepath.Dir(path), "apps.d")) {
		l.readFile(file, false)
	}
	if o.StateDir == "" {
		return
	}
	dir := stateApps(o.StateDir)
	for _, file := range l.list(dir) {
		name := strings.TrimSuffix(filepath.Base(file), ".toml")
		if name == o.Remove || o.Put != nil && name == o.Put.name {
			continue
		}
		l.readFile(file, true)
	}
	if o.Put != nil {
		l.documents = append(l.documents, o.Put.document(dir))
		l.order = append(l.order, o.Put.file)
	}
}

// list returns the TOML files of a folder, in order. There may be no folder.
func (l *loader) list(dir string) []string {
	l.watchPath(dir)
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		l.problem(place{dir, position{1, 1}}, "the folder can't be read: %s", reason(err))
	}
	var files []string
	for _, e := range entries {
		if name := e.Name(); strings.HasSuffix(name, ".toml") && !strings.HasPrefix(name, ".") {
			files = append(files, filepath.Join(dir, name))
		}
	}
	return files
}

func (l *loader) watchPath(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		path = abs
	}
	l.watch = append(l.watch, path)
	return path
}

// maxFile bounds the size in bytes of a file of the configuration: far beyond
// any that a person or a script writes.
const maxFile = 64 << 20

func (l *loader) readFile(file string, state bool) *document {
	doc := &document{source: source{file: file, path: l.watchPath(file), state: state}}
	l.order = append(l.order, file)
	data, err := readFile(file, maxFile)
	if err != nil {
		hint := ""
		if errors.Is(err, fs.ErrNotExist) {
			hint = "; create it, or name another"
		}
		l.problem(place{file, position{1, 1}}, "the file can't be read: %s%s", reason(err), hint)
		return nil
	}
	d := &decoder{file: file}
	var faults []fault
	doc.root, faults, doc.complete = parseTOML(data)
	d.faults(faults)
	l.problems = append(l.problems, d.problems...)
	l.documents = append(l.documents, doc)
	return doc
}

// decode reads the tables of a document.
func (l *loader) decode(doc *document) {
	d := &decoder{file: doc.file}
	dir := filepath.Dir(doc.path)
	for _, m := range doc.root.members {
		switch {
		case m.key == "apps":
			for _, app := range d.table(m.value, "apps", "[apps.blog]") {
				l.decodeApp(d, doc, app, dir)
			}
		case m.key == "server" && doc.main:
			l.setServer(d.server(m.value, dir))
		case m.key == "defaults" && doc.main:
			l.defaults = d.app(m, true, dir, doc.source)
		case m.key == "server" || m.key == "defaults":
			d.problem(m.at, "[%s] belongs in nano.toml; the files of apps.d hold [apps.NAME] alone", m.key)
		default:
			elsewhere := make(map[string]string)
			if m.value.kind == table {
				elsewhere[m.key] = fmt.Sprintf("an app is written [apps.%s]", m.key)
			}
			for _, key := range serverKeys {
				elsewhere[key] = "it belongs in [server]"
			}
			d.unknown(m, "the file", topKeys, elsewhere)
		}
	}
	if doc.state && doc.complete {
		l.checkStateFile(d, doc)
	}
	l.problems = append(l.problems, d.problems...)
}

// checkStateFile makes sure that the admin API finds the app again by its name.
func (l *loader) checkStateFile(d *decoder, doc *document) {
	name := strings.TrimSuffix(filepath.Base(doc.path), ".toml")
	apps, _ := doc.root.get("apps")
	if apps.value == nil || apps.value.kind != table || len(apps.value.members) != 1 || apps.value.members[0].key != name {
		d.problem(position{1, 1}, "a file of the state directory holds the app of its own name and no other, here [apps.%s]; keep other apps in apps.d beside nano.toml", name)
	}
}

var appName = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

func (l *loader) decodeApp(d *decoder, doc *document, m member, dir string) {
	if m.value.kind != table {
		d.table(m.value, "apps."+m.key, fmt.Sprintf("[apps.%s]", m.key))
		return
	}
	s := d.app(m, false, dir, doc.source)
	if err := checkName(m.key); err != nil {
		d.problem(m.at, "%v", err)
	} else if first, ok := l.names[m.key]; ok {
		d.problem(m.at, "app %q is already defined at %s; give one of them another name", m.key, first)
		return
	}
	l.names[m.key] = s.at
	if doc.state && s.root.given && !filepath.IsAbs(s.root.value) {
		d.problem(s.root.at.position, "root = %q is relative, and an app of the state directory has no folder to start from; write the absolute path", s.root.value)
		s.root.given = false
	}
	if doc.complete {
		l.apps = append(l.apps, s)
	} else {
		l.partial = append(l.partial, s)
	}
}

// checkName says what is wrong with the name of an app.
func checkName(name string) error {
	if appName.MatchString(name) {
		return nil
	}
	hint := ""
	if s := slug(name); s != "" {
		hint = fmt.Sprintf(", such as %q", s)
	}
	return fmt.Errorf("%.80q is no name for an app; write 1 to 63 lower-case letters, digits and dashes, with no dash first or last%s", name, hint)
}

// slug makes the name of an app from any text, "" if there is nothing to make
// it from.
func slug(s string) string {
	var b strings.Builder
	for _, c := range strings.ToLower(s) {
		if 'a' <= c && c <= 'z' || '0' <= c && c <= '9' {
			b.WriteRune(c)
		} else if n := b.Len(); n > 0 && b.String()[n-1] != '-' {
			b.WriteByte('-')
		}
		if b.Len() >= 63 {
			break
		}
	}
	return strings.Trim(b.String(), "-")
}

func (l *loader) setServer(s serverSettings) {
	b := l.server
	l.server = Server{
		Listen:         s.listen.orValue(b.Listen),
		Admin:          s.admin.orValue(b.Admin),
		Log:            s.log.orValue(b.Log),
		AccessLog:      s.accessLog.orValue(b.AccessLog),
		DrainTimeout:   s.drainTimeout.orValue(b.DrainTimeout),
		Watch:          s.watch.orValue(b.Watch),
		TrustedProxies: s.proxies.orValue(b.TrustedProxies),
	}
}

// checkHosts reports hosts that are claimed twice, and apps that none leads to.
func (l *loader) checkHosts() {
	type claim struct {
		app string
		at  place
	}
	claims := make(map[vhost.Pattern]claim)
	for _, app := range slices.Concat(l.apps, l.partial) {
		for _, host := range app.hosts.patterns {
			first, ok := claims[host.value]
			switch {
			case !ok:
				claims[host.value] = claim{app.name, host.at}
			case first.app == app.name:
				l.problem(host.at, "host %q is listed twice; first on line %d", host.value, first.at.line)
			default:
				l.problem(host.at, "host %q is already claimed by app %q at %s; a host belongs to one app, so take it out of one of them", host.value, first.app, first.at)
			}
		}
	}
	for _, app := range l.apps {
		if (app.hosts.at == place{} || app.hosts.empty) && !app.isDefault.or(l.defaults.isDefault).value {
			l.problem(app.at, `app %q has no hosts, so no request can reach it; add hosts = ["%s.example.com"], or default = true`, app.name, app.name)
		}
	}
}

func (l *loader) checkDefault() {
	var first *appSettings
	for _, app := range slices.Concat(l.apps, l.partial) {
		s := app.isDefault.or(l.defaults.isDefault)
		if !s.value {
			continue
		}
		if first == nil {
			first = app
			continue
		}
		l.problem(s.at, "app %q is the default, and so is app %q at %s; at most one app takes the hosts that nobody claims", app.name, first.name, first.isDefault.or(l.defaults.isDefault).at)
	}
}

// finish looks at the apps' files and returns what Load returns.
func (l *loader) finish(path string) (*Config, error) {
	c := &Config{Path: path, Server: l.server}
	for _, s := range l.apps {
		app, problems := l.resolve(s)
		c.Apps = append(c.Apps, app)
		l.problems = append(l.problems, problems...)
	}
	slices.SortFunc(c.Apps, func(a, b App) int { return strings.Compare(a.Name, b.Name) })
	slices.Sort(l.watch)
	c.Files = slices.Compact(l.watch)
	if len(l.problems) == 0 {
		return c, nil
	}
	l.problems.sort(l.order)
	l.problems = slices.Compact(l.problems)
	if !l.problems.confined() {
		c = nil
	}
	return c, l.problems
}

// readFile reads a regular file of at most limit bytes.
func readFile(path string, limit int64) ([]byte, error) {
	isFile := func(info fs.FileInfo, err error) error {
		if err == nil && !info.Mode().IsRegular() {
			err = errors.New("it is not a regular file")
		}
		return err
	}
	if err := isFile(os.Stat(path)); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0) // it may have become a FIFO
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if err := isFile(f.Stat()); err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = fmt.Errorf("it is longer than %s", formatSize(limit))
	}
	return data, err
}

// reason is an error of a file without the operation and the path, which the
// message around it has.
func reason(err error) string {
	var pathError *fs.PathError
	if errors.As(err, &pathError) {
		err = pathError.Err
	}
	if errors.Is(err, fs.ErrPermission) {
		return fmt.Sprintf("%v for user id %d", err, os.Geteuid())
	}
	return err.Error()
}
