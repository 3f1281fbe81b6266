package bundle

import (
	"embed"
	"fmt"
	"path/filepath"
	"strings"
	"sync"

	"github.com/evanw/esbuild/pkg/api"
)

//go:embed node/*.js
var nodeModules embed.FS

// provided are the modules of other runtimes that NANO has, by their file in node/.
var provided = map[string]string{
	"node:async_hooks":         "async_hooks.js",
	"node:crypto":              "crypto.js",
	"node:diagnostics_channel": "diagnostics_channel.js",
	"node:events":              "events.js",
	"node:path":                "path.js",
	"node:path/posix":          "path.js",
	"node:perf_hooks":          "perf_hooks.js",
	"node:process":             "process.js",
	"node:timers":              "timers.js",
	"node:timers/promises":     "timers_promises.js",
	"node:url":                 "url.js",
	"node:util":                "util.js",
	"cloudflare:workers":       "cloudflare_workers.js",
}

// nodeNames are the names of Node's modules, which can be imported without "node:".
const nodeNames = "assert async_hooks buffer child_process cluster console constants crypto dgram diagnostics_channel dns " +
	"domain events fs http http2 https inspector module net os path perf_hooks process punycode querystring readline " +
	"repl stream string_decoder sys timers tls trace_events tty url util v8 vm wasi worker_threads zlib"

// instead says what to do without a module that NANO doesn't have.
var instead = map[string]string{
	"assert":         `run "npm install assert", which is used then`,
	"buffer":         `run "npm install buffer", which is used then; Uint8Array and TextEncoder need no package`,
	"child_process":  "an app can't start processes",
	"cluster":        "the app's limits say how many isolates it runs in",
	"console":        "use the global console",
	"dgram":          "an app can't open sockets; use fetch",
	"dns":            "use fetch, which resolves names",
	"domain":         "use AsyncLocalStorage of node:async_hooks",
	"fs":             "import the file (JSON, text and binary files are bundled), or serve it from the app's assets",
	"http":           "answer requests with export default { fetch }, and make them with fetch",
	"http2":          "use fetch",
	"https":          "use fetch",
	"module":         "use import",
	"net":            "an app can't open sockets; use fetch",
	"punycode":       `run "npm install punycode", which is used then`,
	"querystring":    "use URLSearchParams",
	"stream":         `use ReadableStream, WritableStream and TransformStream, or run "npm install readable-stream" and import that`,
	"string_decoder": "use TextDecoder",
	"tls":            "an app can't open sockets; use fetch",
	"worker_threads": "the app's limits say how many isolates it runs in",
	"zlib":           `an app can't compress; let a proxy do it, or bring a package such as "fflate"`,
}

const (
	providedNamespace = "nano"        // modules in node/
	standInNamespace  = "unavailable" // modules that throw when they are used
)

// builtins resolves node: and cloudflare: imports over the runs of one build.
// A module that NANO doesn't have is an error where the app's own code imports
// it. Packages often import what they then don't use: there, and in require
// and import() anywhere, it becomes a stand-in that throws when it is used.
type builtins struct {
	root  string
	names map[string]bool

	mu       sync.Mutex       // guards the fields below
	left     map[request]bool // left to esbuild, which knows whether its failure is caught
	standIns map[request]bool // those that wasn't
}

// A request is an import as it is written in a file.
type request struct{ importer, path string }

func newBuiltins(root string) *builtins {
	b := &builtins{
		root:     root,
		names:    make(map[string]bool),
		left:     make(map[request]bool),
		standIns: make(map[request]bool),
	}
	for name := range strings.FieldsSeq(nodeNames) {
		b.names[name] = true
	}
	return b
}

// canonical returns the full name of the built-in module that path means, or "".
func (b *builtins) canonical(path string) string {
	if strings.HasPrefix(path, "node:") || strings.HasPrefix(path, "cloudflare:") {
		return path
	}
	base, sub, _ := strings.Cut(path, "/")
	switch sub {
	case "", "promises", "posix", "web", "strict", "types":
		// A trailing slash means the package of that name.
		if b.names[base] && !strings.HasSuffix(path, "/") {
			return "node:" + path
		}
	}
	return ""
}

func (b *builtins) plugin() api.Plugin {
	return api.Plugin{Name: "builtins", Setup: func(p api.PluginBuild) {
		filter := "^node:|^cloudflare:|^(?:" + strings.ReplaceAll(nodeNames, " ", "|") + ")(?:/[a-z]+)?$"
		var warned sync.Map // by module: one warning says it
		p.OnResolve(api.OnResolveOptions{Filter: filter}, func(args api.OnResolveArgs) (api.OnResolveResult, error) {
			name := b.canonical(args.Path)
			if name == "" || args.PluginData == resolveOnly {
				return api.OnResolveResult{}, nil
			}
			r := b.resolve(p, args, name)
			if r.Namespace == standInNamespace {
				if _, again := warned.LoadOrStore(name, true); !again {
					r.Warnings = []api.Message{{Text: unavailable(name) + " (it throws when it is used)"}}
				}
			}
			return r, nil
		})
		p.OnResolve(api.OnResolveOptions{Filter: `^\./`, Namespace: providedNamespace}, func(args api.OnResolveArgs) (api.OnResolveResult, error) {
			return api.OnResolveResult{Path: strings.TrimPrefix(args.Path, "./"), Namespace: providedNamespace}, nil
		})
		p.OnLoad(api.OnLoadOptions{Filter: ".*", Namespace: providedNamespace}, func(args api.OnLoadArgs) (api.OnLoadResult, error) {
			text, err := nodeModules.ReadFile("node/" + args.Path)
			script := string(text)
			return api.OnLoadResult{Contents: &script, ResolveDir: b.root}, err
		})
		p.OnLoad(api.OnLoadOptions{Filter: ".*", Namespace: standInNamespace}, func(args api.OnLoadArgs) (api.OnLoadResult, error) {
			script := fmt.Sprintf("module.exports = require(\"./stand_in.js\")(%q);\n", unavailable(args.Path))
			return api.OnLoadResult{Contents: &script, ResolveDir: b.root}, nil
		})
		p.OnResolve(api.OnResolveOptions{Filter: `^\./`, Namespace: standInNamespace}, func(api.OnResolveArgs) (api.OnResolveResult, error) {
			return api.OnResolveResult{Path: "stand_in.js", Namespace: providedNamespace}, nil
		})
	}}
}

func (b *builtins) resolve(p api.PluginBuild, args api.OnResolveArgs, name string) api.OnResolveResult {
	// The app's own package of that name goes first, and so does the answer of
	// a package's "browser" field.
	if r := p.Resolve(args.Path, again(args)); len(r.Errors) == 0 {
		return api.OnResolveResult{}
	}
	if file, ok := provided[name]; ok {
		return api.OnResolveResult{Path: file, Namespace: providedNamespace, SideEffects: api.SideEffectsFalse}
	}
	if pkg, ok := strings.CutPrefix(args.Path, "node:"); ok {
		if r := p.Resolve(pkg, again(args)); len(r.Errors) == 0 {
			return api.OnResolveResult{Path: r.Path, Namespace: r.Namespace, Suffix: r.Suffix}
		}
	}

	standIn := api.OnResolveResult{Path: name, Namespace: standInNamespace, SideEffects: api.SideEffectsFalse}
	if args.Kind == api.ResolveJSImportStatement {
		if inModules(args.Importer) {
			return standIn
		}
		return api.OnResolveResult{Errors: []api.Message{{Text: unavailable(name)}}}
	}
	req := request{args.Importer, args.Path}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.standIns[req] {
		return standIn
	}
	b.left[req] = true
	return api.OnResolveResult{}
}

// standIn decides after a run which modules need a stand-in, and reports
// whether that makes another run worth while.
func (b *builtins) standIn(failed []api.Message) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	more := false
	for _, m := range failed {
		path, ok := unresolved(m)
		if !ok || m.Location == nil {
			continue
		}
		req := request{filepath.Join(b.root, m.Location.File), path}
		if b.left[req] && !b.standIns[req] {
			b.standIns[req] = true
			more = true
		}
	}
	return more
}

// unavailable is what an app's author reads about a module.
func unavailable(name string) string {
	text := fmt.Sprintf("%q is not available in NANO", name)
	base, _, _ := strings.Cut(strings.TrimPrefix(name, "node:"), "/")
	if hint := instead[base]; hint != "" {
		text += ": " + hint
	}
	return text
}
