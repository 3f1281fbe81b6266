package bundle

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"

	"github.com/evanw/esbuild/pkg/api"
)

// maxFile is the size in bytes of the largest file that can be imported.
const maxFile = 64 << 20

// A fence decides which files an app may import, and remembers those it did.
type fence struct {
	root    string
	allowed []string // real folders
	trail   *trail

	mu   sync.Mutex // guards the field below
	seen map[string]bool
}

// newFence needs a root without symlinks.
func newFence(root string, t *trail) (*fence, error) {
	f := &fence{root: root, allowed: []string{root}, trail: t, seen: make(map[string]bool)}
	for dir := filepath.Dir(root); ; dir = filepath.Dir(dir) {
		if err := f.allowModules(filepath.Join(dir, "node_modules")); err != nil {
			return nil, err
		}
		if dir == filepath.Dir(dir) {
			return f, nil
		}
	}
}

// allowModules opens a parent's node_modules, and the workspace packages that
// it links to. Only links of a parent count: an app could make its own point
// anywhere.
func (f *fence) allowModules(dir string) error {
	f.trail.folder(dir)
	real, err := filepath.EvalSymlinks(dir)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("cannot read a parent folder's packages: %w", err)
	}
	f.allowed = append(f.allowed, real)
	entries, err := os.ReadDir(real)
	if err != nil {
		return nil // esbuild can't read it either
	}
	for _, e := range entries {
		path := filepath.Join(real, e.Name())
		switch {
		case e.Type()&fs.ModeSymlink != 0:
			f.allowTarget(path)
		case e.IsDir() && strings.HasPrefix(e.Name(), "@"):
			f.trail.folder(path)
			scoped, _ := os.ReadDir(path)
			for _, e := range scoped {
				if e.Type()&fs.ModeSymlink != 0 {
					f.allowTarget(filepath.Join(path, e.Name()))
				}
			}
		}
	}
	return nil
}

func (f *fence) allowTarget(link string) {
	real, err := filepath.EvalSymlinks(link)
	// A link to a folder that the app itself lies in would open everything beside it.
	if err == nil && !within(f.root, real) {
		f.allowed = append(f.allowed, real)
	}
}

func within(path, dir string) bool {
	return path == dir || dir == "/" || strings.HasPrefix(path, dir+string(filepath.Separator))
}

func (f *fence) allows(real string) bool {
	return slices.ContainsFunc(f.allowed, func(dir string) bool { return within(real, dir) })
}

// check returns what is wrong with importing path, in the user's words.
func (f *fence) check(path string) error {
	real, err := filepath.EvalSymlinks(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // a file that package.json replaces by nothing, or one that esbuild reports
	}
	if err != nil {
		return fmt.Errorf("cannot read %q: %w", path, err)
	}
	if !f.allows(real) {
		return fmt.Errorf("%q is outside of the app's folder %s: copy it there, or depend on it as a package", real, f.root)
	}
	fi, err := os.Lstat(real)
	switch {
	case err != nil:
		return fmt.Errorf("cannot read %q: %w", path, err)
	case !fi.Mode().IsRegular():
		return fmt.Errorf("%q is not a regular file", path)
	case fi.Size() > maxFile:
		return fmt.Errorf("%q is too large to import: %d MiB, and %d MiB are allowed; serve it from the app's assets instead",
			path, fi.Size()>>20, maxFile>>20)
	}
	f.mu.Lock()
	f.seen[real] = true
	f.mu.Unlock()
	return f.trail.loads(real)
}

// inputs returns the files seen, without node_modules, and those that decide
// how the app's own files are read.
func (f *fence) inputs() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var files []string
	for path := range f.seen {
		if !inModules(path) {
			files = append(files, path)
		}
	}
	for _, name := range []string{"package.json", "tsconfig.json", "jsconfig.json"} {
		path := filepath.Join(f.root, name)
		if _, err := os.Lstat(path); err == nil && !f.seen[path] {
			files = append(files, path)
		}
	}
	slices.Sort(files)
	return files
}

func inModules(path string) bool {
	return strings.Contains(path, "/node_modules/")
}

func (f *fence) plugin() api.Plugin {
	return api.Plugin{Name: "files", Setup: func(b api.PluginBuild) {
		b.OnLoad(api.OnLoadOptions{Filter: ".*", Namespace: "file"}, func(args api.OnLoadArgs) (api.OnLoadResult, error) {
			if err := f.check(args.Path); err != nil || args.With["type"] != "" {
				return api.OnLoadResult{}, err
			}
			return f.withoutMap(args.Path), nil
		})
		f.wasmModules(b)
	}}
}

// scripts are the names' ends of what esbuild looks for a source map in.
var scripts = []string{"", ".js", ".mjs", ".cjs", ".jsx", ".ts", ".mts", ".cts", ".tsx"}

var mapComment = regexp.MustCompile(`/[/*][#@] sourceMappingURL=(\S+)`)

// withoutMap is the script without its source map, where that is a file that the app may
// not import; else it is for esbuild to read. The last comment in a script counts: one
// more changes nothing else.
func (f *fence) withoutMap(path string) api.OnLoadResult {
	if !slices.Contains(scripts, filepath.Ext(path)) && !strings.HasSuffix(path, ".module.css") {
		return api.OnLoadResult{}
	}
	text, err := readRegular(path)
	if err != nil {
		return api.OnLoadResult{} // esbuild says so
	}
	for _, m := range mapComment.FindAllSubmatch(text, -1) {
		if !f.allowsMaps(filepath.Dir(path), string(m[1])) {
			script := string(text) + "\n/*# sourceMappingURL=nano:none */"
			return api.OnLoadResult{Contents: &script, Loader: api.LoaderDefault, ResolveDir: filepath.Dir(path)}
		}
	}
	return api.OnLoadResult{}
}

// allowsMaps reports whether esbuild may follow what stands in a comment in a script in
// dir. What a map names as its sources is read under Dev alone, for somebody who could as
// well.
func (f *fence) allowsMaps(dir, text string) bool {
	if strings.HasPrefix(text, "data:") {
		return true
	}
	// Where a name ends, esbuild and this may see differently: no URL has such characters.
	if strings.ContainsFunc(text, func(c rune) bool { return c <= ' ' || c >= 0x7f }) {
		return false
	}
	short, _, _ := strings.Cut(text, "*/") // which may end the comment
	return f.allowsMap(dir, text) && f.allowsMap(dir, short)
}

func (f *fence) allowsMap(dir, ref string) bool {
	u, err := url.Parse(ref)
	if err != nil || u.Scheme != "" && u.Scheme != "file" {
		return true // it reads no file then
	}
	path := (&url.URL{Scheme: "file", Path: dir + "/"}).ResolveReference(u).Path
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return errors.Is(err, fs.ErrNotExist)
	}
	fi, err := os.Lstat(real)
	return err == nil && fi.Mode().IsRegular() && fi.Size() <= maxFile && f.allows(real)
}

// wasmModules makes the default export of a .wasm file a WebAssembly.Module,
// as other worker runtimes do. Some tools write "?module" behind the name.
func (f *fence) wasmModules(b api.PluginBuild) {
	const namespace = "wasm"
	b.OnResolve(api.OnResolveOptions{Filter: `\.wasm(\?module)?$`}, func(args api.OnResolveArgs) (api.OnResolveResult, error) {
		if args.Namespace == namespace || args.PluginData == resolveOnly || args.With["type"] != "" {
			return api.OnResolveResult{}, nil
		}
		r := b.Resolve(strings.TrimSuffix(args.Path, "?module"), again(args))
		if len(r.Errors) > 0 || r.Namespace != "file" {
			return api.OnResolveResult{Errors: r.Errors}, nil
		}
		// Checked here, where the import is, and not where the script below is.
		return api.OnResolveResult{Path: r.Path, Namespace: namespace}, f.check(r.Path)
	})
	b.OnLoad(api.OnLoadOptions{Filter: ".*", Namespace: namespace}, func(args api.OnLoadArgs) (api.OnLoadResult, error) {
		script := fmt.Sprintf("import bytes from %q;\nexport default new WebAssembly.Module(bytes);\n", args.Path)
		return api.OnLoadResult{Contents: &script, ResolveDir: filepath.Dir(args.Path)}, nil
	})
}

// resolveOnly marks a plugin's own question, which the plugins then leave to esbuild.
var resolveOnly any = new(byte)

// again are the options to ask esbuild what it would make of the same import.
func again(args api.OnResolveArgs) api.ResolveOptions {
	return api.ResolveOptions{
		Importer:   args.Importer,
		Namespace:  args.Namespace,
		ResolveDir: args.ResolveDir,
		Kind:       args.Kind,
		PluginData: resolveOnly,
		With:       args.With,
	}
}

// readRegular reads a file that may be anything: it doesn't wait for a FIFO's
// writer, and a device doesn't fill the memory.
func readRegular(path string) ([]byte, error) {
	file, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	fi, err := file.Stat()
	if err != nil {
		return nil, err
	}
	if !fi.Mode().IsRegular() || fi.Size() > maxFile {
		return nil, fmt.Errorf("%s is not a regular file of at most %d MiB", path, maxFile>>20)
	}
	return io.ReadAll(io.LimitReader(file, maxFile))
}
