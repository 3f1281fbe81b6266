package config

import (
	"os"
	"path/filepath"
	"strings"
)

// wranglerFile returns the absolute path of the app's wrangler file, "" if it
// has none. Wrangler looks for them in the same order.
func (f *appFiles) wranglerFile() string {
	for _, name := range []string{"wrangler.json", "wrangler.jsonc", "wrangler.toml"} {
		path := filepath.Join(f.root, name)
		if _, err := os.Stat(path); err == nil {
			return path
		}
	}
	return ""
}

// wrangler returns the settings with main, vars and assets of the app's
// wrangler file in them, and the path of that file, "" if there is none.
// Everything else that such a file says is for other platforms.
func (f *appFiles) wrangler(s *appSettings) (*appSettings, string) {
	path := f.wranglerFile()
	if path == "" {
		return s, ""
	}
	f.read = append(f.read, path)
	d := &decoder{file: path}
	defer func() { f.problems = append(f.problems, d.problems...) }()
	data, err := readFile(path, maxFile)
	if err != nil {
		d.problem(position{1, 1}, "the file can't be read: %s", reason(err))
		return s, path
	}
	var root *node
	var faults []fault
	if strings.HasSuffix(path, ".toml") {
		root, faults, _ = parseTOML(data)
	} else {
		root, faults = parseJSONC(data)
	}
	d.faults(faults)
	if root == nil {
		return s, path
	}
	with := *s
	for _, m := range d.table(root, filepath.Base(path), `{ "main": "src/index.ts" }`) {
		switch m.key {
		case "main":
			with.entry = d.text(m.value, "main", `"src/index.ts"`)
		case "vars":
			with.env = d.env(m.value, "vars")
		case "assets":
			d.wranglerAssets(m.value, &with)
		}
	}
	// Its paths start where it is, which is root, as entry and assets do.
	return &with, path
}

func (d *decoder) wranglerAssets(n *node, s *appSettings) {
	for _, m := range d.table(n, "assets", `{ "directory": "./public" }`) {
		switch m.key {
		case "directory":
			s.assets = d.text(m.value, "assets.directory", `"./public"`)
		case "not_found_handling":
			s.notFound = d.choice(m.value, "assets.not_found_handling", notFoundKinds...)
		}
	}
}
