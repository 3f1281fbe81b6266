package config

import (
	"os"
	"path/filepath"
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
// Everything else that such a file says is for other platforms. ok is false if
// the file can't be made sense of.
func (f *appFiles) wrangler(s *appSettings) (with *appSettings, path string, ok bool) {
	path = f.wranglerFile()
	if path == "" {
		return s, "", true
	}
	f.read = append(f.read, path)
	d := &decoder{file: path}
	defer func() { f.problems = append(f.problems, d.problems...) }()
	root := d.document(path)
	if root == nil {
		return s, path, false
	}
	with = new(appSettings)
	*with = *s
	for _, m := range d.table(root, filepath.Base(path), `{ "main": "src/index.ts" }`) {
		switch m.key {
		case "main":
			with.entry = d.text(m.value, "main", `"src/index.ts"`)
		case "vars":
			with.env = d.env(m.value, "vars")
		case "assets":
			d.wranglerAssets(m.value, with)
		}
	}
	// Its paths start where it is, which is root, as entry and assets do.
	return with, path, true
}

// maxAppFile bounds the size in bytes of package.json and wrangler's files: they are an
// app's, and read while everybody waits, to about fifty times their size in memory.
const maxAppFile = 1 << 20

// document reads and parses a file that others own. It returns a table, or nil
// after a problem that leaves nothing to go by.
func (d *decoder) document(path string) *node {
	data, err := readFile(path, maxAppFile)
	if err != nil {
		d.problem(position{1, 1}, "the file can't be read: %s", reason(err))
		return nil
	}
	var root *node
	var faults []fault
	switch name := filepath.Base(path); {
	case filepath.Ext(name) == ".toml":
		var complete bool
		if root, faults, complete = parseTOML(data); !complete {
			root = nil
		}
	case name == "package.json":
		root, faults = parseJSON(data)
	default: // wrangler takes comments in .json as well as in .jsonc
		root, faults = parseJSONC(data)
	}
	d.faults(faults)
	if root != nil && root.kind != table {
		d.problem(root.at, "%s is %s; write an object", filepath.Base(path), root.describe())
		return nil
	}
	return root
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
