package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// writeTree makes a folder with the files given as path → content.
func writeTree(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for path, content := range files {
		path = filepath.Join(dir, filepath.FromSlash(path))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

const (
	lockA1 = `{"packages": {"": {"name": "x"}, "node_modules/a": {"version": "1.0.0", "integrity": "sha512-1"}}}`
	lockA2 = `{"packages": {"": {"name": "x"}, "node_modules/a": {"version": "1.0.0", "integrity": "sha512-2"}}}`
)

func TestModulesCurrent(t *testing.T) {
	for _, tc := range []struct {
		name  string
		files map[string]string
		want  bool
	}{
		{"never fetched", map[string]string{"package-lock.json": lockA1}, false},
		{"as locked", map[string]string{"package-lock.json": lockA1, "node_modules/.package-lock.json": lockA1, "node_modules/a/package.json": "{}"}, true},
		{"another content", map[string]string{"package-lock.json": lockA1, "node_modules/.package-lock.json": lockA2, "node_modules/a/package.json": "{}"}, false},
		{"deleted by hand", map[string]string{"package-lock.json": lockA1, "node_modules/.package-lock.json": lockA1}, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := modulesCurrent(writeTree(t, tc.files))
			if err != nil {
				t.Fatal(err)
			}
			if got != tc.want {
				t.Errorf("got %v, want %v", got, tc.want)
			}
		})
	}
}

func TestFetchModulesErrors(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	for _, tc := range []struct {
		name, lock, want string
	}{
		{"no npm", lockA1, "install Node.js"},
		{"broken lock file", "{", "package-lock.json"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			err := fetchModules(writeTree(t, map[string]string{"package-lock.json": tc.lock}))
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want one with %q", err, tc.want)
			}
		})
	}
}

func TestPackageOf(t *testing.T) {
	for path, want := range map[string]string{
		"node_modules/a/b.js":        "a",
		"node_modules/@s/a/b/c.json": "@s/a",
		"js/index.js":                "",
	} {
		if got := packageOf(path); got != want {
			t.Errorf("packageOf(%q) = %q, want %q", path, got, want)
		}
	}
}

func TestCollectLicences(t *testing.T) {
	dir := writeTree(t, map[string]string{
		"node_modules/b/package.json":    `{"version": "2.0.0", "license": "MIT"}`,
		"node_modules/b/LICENSE.txt":     "text of b\n",
		"node_modules/@s/a/package.json": `{"version": "1.0.0", "license": "ISC"}`,
		"node_modules/@s/a/licence":      "text of a",
		"node_modules/c/package.json":    `{"version": "3.0.0"}`,
	})
	got, err := collectLicences(dir, []string{"node_modules/b/x.js", "js/index.js", "node_modules/@s/a/y.js", "node_modules/b/z.js"})
	if err != nil {
		t.Fatal(err)
	}
	line := strings.Repeat("-", 80)
	want := "The web platform of NANO contains code of these npm packages.\n" +
		"\n" + line + "\n@s/a 1.0.0 (ISC)\n\ntext of a\n" +
		"\n" + line + "\nb 2.0.0 (MIT)\n\ntext of b\n"
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Error(diff)
	}
	if _, err := collectLicences(dir, []string{"node_modules/c/x.js"}); err == nil || !strings.Contains(err.Error(), `"c"`) {
		t.Errorf("got %v for a package without a licence, want an error that names it", err)
	}
}

// The bundle that is embedded is the one that the sources make.
func TestBundle(t *testing.T) {
	dir, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	script, inputs, err := bundle(dir)
	if err != nil {
		t.Fatal(err)
	}
	embedded, err := os.ReadFile(filepath.Join(dir, "dist", "prelude.js"))
	if err != nil {
		t.Fatal(err)
	}
	if string(embedded) != string(script) {
		t.Error("webapi/dist/prelude.js is out of date: run make generate")
	}
	for _, b := range script {
		if b > 127 {
			t.Fatal("the bundle is not ASCII")
		}
	}
	licences, err := collectLicences(dir, inputs)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"@exodus/bytes", "punycode", "tr46", "urlpattern-polyfill", "web-streams-polyfill", "whatwg-url"} {
		if !strings.Contains(string(licences), "\n"+name+" ") {
			t.Errorf("the licence of %s is missing", name)
		}
	}
}
