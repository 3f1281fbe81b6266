package bundle

import (
	"encoding/json"
	"path/filepath"

	"github.com/evanw/esbuild/pkg/api"
)

// textFiles and binaryFiles are imported as a string and as a Uint8Array.
var (
	textFiles   = []string{".txt", ".text", ".md", ".html", ".htm", ".css", ".sql", ".svg", ".xml", ".csv", ".yaml", ".yml", ".toml", ".graphql", ".gql"}
	binaryFiles = []string{
		".bin", ".wasm", ".png", ".jpg", ".jpeg", ".gif", ".webp", ".avif", ".ico", ".woff", ".woff2", ".ttf", ".otf",
		".pdf", ".mp3", ".mp4", ".webm", ".ogg", ".wav", ".zip", ".gz", ".br",
	}
)

func buildOptions(root, entry string, dev bool, f *fence, b *builtins) api.BuildOptions {
	mode := "production"
	if dev {
		mode = "development"
	}
	o := api.BuildOptions{
		EntryPoints:   []string{entry},
		AbsWorkingDir: root,
		// Nothing is written: this only makes the source map's files relative to root.
		Outfile: filepath.Join(root, "nano-bundle.js"),
		Bundle:  true,
		Format:  api.FormatESModule,
		Target:  api.ESNext,
		// The browser platform is what makes package.json's "browser" field count.
		Platform:   api.PlatformBrowser,
		Conditions: []string{"workerd", "worker", "browser", mode},
		MainFields: []string{"browser", "module", "main"},
		Loader:     loaders(),
		Define: map[string]string{
			"process.env.NODE_ENV": `"` + mode + `"`,
			"import.meta.url":      `"file:///index.js"`,
		},
		// Escaped to ASCII a script takes one byte a character in V8, not two.
		Charset: api.CharsetASCII,
		// White space is what makes a script slow to parse, and the source map
		// brings it back. Shorter syntax gains 2 % and loses functions' names.
		// KeepNames would cost half a microsecond for each closure that is made.
		MinifyWhitespace: !dev,
		LegalComments:    api.LegalCommentsNone,
		Sourcemap:        api.SourceMapExternal,
		LogLevel:         api.LogLevelSilent,
		Plugins:          []api.Plugin{f.trail.plugin(), b.plugin(), f.plugin()},
	}
	if !dev {
		// Nobody is shown the source lines; it would be most of the map.
		o.SourcesContent = api.SourcesContentExclude
	}
	if source := jsxImportSource(root); source != "" {
		// The app's tsconfig.json goes before this.
		o.JSX = api.JSXAutomatic
		o.JSXImportSource = source
	}
	return o
}

func loaders() map[string]api.Loader {
	m := make(map[string]api.Loader)
	for _, ext := range textFiles {
		m[ext] = api.LoaderText
	}
	for _, ext := range binaryFiles {
		m[ext] = api.LoaderBinary
	}
	return m
}

// jsxImportSource guesses from the app's dependencies whose JSX it writes. An
// app without any of these gets esbuild's classic React.createElement.
func jsxImportSource(root string) string {
	deps := dependencies(root)
	for _, known := range []struct{ pkg, source string }{
		{"react", "react"},
		{"preact", "preact"},
		{"hono", "hono/jsx"},
	} {
		if deps[known.pkg] {
			return known.source
		}
	}
	return ""
}

// dependencies returns the packages that the app's package.json asks for.
func dependencies(root string) map[string]bool {
	deps := make(map[string]bool)
	text, err := readRegular(filepath.Join(root, "package.json"))
	if err != nil {
		return deps
	}
	var p struct {
		Dependencies    map[string]any `json:"dependencies"`
		DevDependencies map[string]any `json:"devDependencies"`
	}
	if json.Unmarshal(text, &p) != nil {
		return deps // esbuild reports it
	}
	for name := range p.Dependencies {
		deps[name] = true
	}
	for name := range p.DevDependencies {
		deps[name] = true
	}
	return deps
}
