package config

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

var (
	// indexExtensions are tried in this order for a module without one.
	indexExtensions = []string{".ts", ".tsx", ".js", ".jsx", ".mjs"}
	entryExtensions = []string{".ts", ".tsx", ".mts", ".cts", ".js", ".jsx", ".mjs", ".cjs"}
)

// entry returns the absolute path of the app's entry, "" if it has none: what
// the settings say, else package.json's "main" or "module", else an index file
// in root or in src. An app whose wrangler file names assets and no main has no
// entry, as there.
func (f *appFiles) entry(s *appSettings, assets, wrangler string) string {
	switch {
	case s.entry.given:
		return f.givenEntry(s.entry)
	case !s.entry.absent(), !s.assets.absent() && !s.assets.given:
		return "" // what it is to be has a problem
	case wrangler != "" && s.assets.given:
		return ""
	}
	main, tried, ok := f.packageEntry(assets)
	if !ok || main != "" {
		return main
	}
	if index := f.indexEntry(assets); index != "" {
		return index
	}
	if assets != "" {
		return ""
	}
	f.read = append(f.read, filepath.Join(f.root, "src")) // where one may come to
	tried = append(tried, "index.{ts,tsx,js,jsx,mjs}", "src/index.{ts,tsx,js,jsx,mjs}")
	hint := ""
	if found := f.wranglerFile(); found != "" && wrangler == "" {
		hint = fmt.Sprintf(" (%s is not asked, since the app has settings of its own)", filepath.Base(found))
	}
	f.problem(s.root.at, `app %q has no entry: looked in %s for %s%s; add entry = "FILE", or assets = "FOLDER" if it is static files alone`,
		s.name, f.root, strings.Join(tried, ", "), hint)
	return ""
}

// givenEntry checks an entry that a file names.
func (f *appFiles) givenEntry(s setting[string]) string {
	path := absolute(f.root, s.value)
	info, err := os.Stat(path)
	switch {
	case !inside(f.root, path):
		f.problem(s.at, "entry %q is outside of root %q; set root to a folder that holds both", s.value, f.root)
	case os.IsNotExist(err):
		hint := "create it (is the app built?), or correct the path"
		if found := f.resolveModule(s.value, ""); found != "" {
			hint = fmt.Sprintf("did you mean %q?", f.relative(found))
		} else if found := f.indexEntry(""); found != "" {
			hint = fmt.Sprintf("did you mean %q?", f.relative(found))
		}
		f.problem(s.at, "entry %q does not exist in %s; %s", s.value, f.root, hint)
	case err != nil:
		f.problem(s.at, "entry %q can't be read: %s; let it be read, or correct the path", s.value, reason(err))
	case !info.Mode().IsRegular():
		f.problem(s.at, "entry %q is no file; name the module that has the fetch handler", s.value)
	case !slices.Contains(entryExtensions, filepath.Ext(path)):
		f.problem(s.at, "entry %q is no module; name a file that ends in %s", s.value, strings.Join(entryExtensions, ", "))
	}
	return path
}

// packageEntry returns the entry that package.json names, "" if it names none
// that exists, and what it was looked for as. ok is false after a problem.
func (f *appFiles) packageEntry(assets string) (entry string, tried []string, ok bool) {
	path := filepath.Join(f.root, "package.json")
	if _, err := os.Stat(path); os.IsNotExist(err) {
		return "", []string{`package.json's "main" or "module" (there is no package.json)`}, true
	}
	f.read = append(f.read, path)
	d := &decoder{file: path}
	root := d.document(path)
	if root == nil {
		f.problems = append(f.problems, d.problems...)
		return "", nil, false
	}
	for _, key := range []string{"main", "module"} {
		m, given := root.get(key)
		if !given {
			tried = append(tried, fmt.Sprintf("package.json's %q (it has none)", key))
			continue
		}
		s := d.text(m.value, key, `"src/index.js"`)
		if !s.given {
			continue
		}
		tried = append(tried, fmt.Sprintf("%s (package.json's %q)", s.value, key))
		if entry == "" {
			if entry = f.resolveModule(s.value, assets); entry == "" && inside(f.root, filepath.Join(f.root, s.value)) {
				main := filepath.Join(f.root, s.value)
				f.read = append(f.read, main)
				if main != f.root {
					f.read = append(f.read, filepath.Dir(main)) // where it may come to
				}
			}
		}
	}
	f.problems = append(f.problems, d.problems...)
	return entry, tried, len(d.problems) == 0
}

func (f *appFiles) indexEntry(assets string) string {
	for _, name := range []string{"index", "src/index"} {
		for _, ext := range indexExtensions {
			if path := f.module(name+ext, assets); path != "" {
				return path
			}
		}
	}
	return ""
}

// resolveModule finds a module as npm's tools do, its extension left out or its
// folder named.
func (f *appFiles) resolveModule(name, assets string) string {
	tries := []string{name}
	for _, dir := range []string{"", "/index"} {
		for _, ext := range indexExtensions {
			tries = append(tries, name+dir+ext)
		}
	}
	for _, name := range tries {
		if path := f.module(name, assets); path != "" && slices.Contains(entryExtensions, filepath.Ext(path)) {
			return path
		}
	}
	return ""
}

// module returns the absolute path of a file in root, "" if it isn't one or
// lies among the assets: what is sent to browsers is not what runs here, unless
// the configuration says so.
func (f *appFiles) module(name, assets string) string {
	path := filepath.Join(f.root, filepath.FromSlash(name))
	info, err := os.Stat(path)
	if err != nil || !info.Mode().IsRegular() || !inside(f.root, path) || assets != "" && inside(assets, path) {
		return ""
	}
	return path
}

// relative returns a path as the entry key would give it.
func (f *appFiles) relative(path string) string {
	if rel, err := filepath.Rel(f.root, path); err == nil {
		return filepath.ToSlash(rel)
	}
	return path
}
