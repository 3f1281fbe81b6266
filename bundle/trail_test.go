package bundle

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const trailed = `
app src/index.ts
-- app/src/index.ts --
import { used } from "./used"
import dep from "dep"
import scoped from "@s/dep/sub"
import mapped from "~/mapped"
export default { fetch: () => new Response(used + dep + scoped + mapped) }
-- app/src/used.js --
export const used = "used"
-- app/lib/far/mapped.ts --
export default "mapped"
-- app/base.json --
{ "compilerOptions": { "paths": { "~/*": ["./near/*", "./lib/far/*"] } } }
-- app/tsconfig.json --
{ "extends": "./base" }
-- app/package.json --
{ "type": "module" }
-- app/node_modules/@s/dep/sub.js --
export default "scoped"
-- node_modules/dep/index.js --
export default "dep"
-- node_modules/dep/package.json --
{ "version": "1.0.0" }
`

// TestUnchanged changes one thing at a time: all that may make another script is noticed.
func TestUnchanged(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(t *testing.T, dir string)
		same   bool
	}{
		{"nothing", func(*testing.T, string) {}, true},
		{"a file that nobody reads", put("public/logo.txt", "x"), true},
		{"a file's text", put("app/src/used.js", "export const used = 'USED'"), false},
		{"a file's text, dated back", func(t *testing.T, dir string) {
			path := filepath.Join(dir, "app/src/used.js")
			fi, err := os.Stat(path)
			if err != nil {
				t.Fatal(err)
			}
			put("app/src/used.js", `export const used = "uSED"`+"\n")(t, dir)
			if err := os.Chtimes(path, fi.ModTime(), fi.ModTime()); err != nil {
				t.Fatal(err)
			}
		}, false},
		{"a file that goes first", put("app/src/used.ts", "export const used = 1"), false},
		{"a folder's package.json", put("app/src/package.json", `{ "sideEffects": false }`), false},
		{"package.json", put("app/package.json", `{ "dependencies": { "react": "1" } }`), false},
		{"what a tsconfig.json extends", put("app/base.json", `{ "compilerOptions": { "paths": { "~/*": ["./lib/far/*"] } } }`), false},
		{"a tsconfig.json of a parent", put("tsconfig.json", `{}`), false},
		{"a file that paths lead to first", put("app/near/mapped.ts", "export default 1"), false},
		{"a package's script", put("node_modules/dep/index.js", "export default 2"), false},
		{"a package's version", put("node_modules/dep/package.json", `{ "main": "other.js" }`), false},
		{"a package that is nearer", put("app/node_modules/dep/index.js", "export default 2"), false},
		{"a package of a folder", put("app/src/node_modules/dep/index.js", "export default 2"), false},
		{"a package's other file", put("app/node_modules/@s/dep/sub.ts", "export default 2"), false},
		{"a file that is gone", func(t *testing.T, dir string) {
			if err := os.Remove(filepath.Join(dir, "app/src/used.js")); err != nil {
				t.Fatal(err)
			}
		}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir, o := source(t, strings.TrimPrefix(trailed, "\n"))
			time.Sleep(2 * tick) // what has just been written may change without a trace
			b, err := Build(t.Context(), o)
			if err != nil {
				t.Fatal(err)
			}
			if len(b.Made) == 0 {
				t.Fatal("the build left no trail")
			}
			c.change(t, dir)
			if got := Unchanged(b.Made); got != c.same {
				t.Errorf("unchanged: %v, want %v", got, c.same)
			}
		})
	}
}

func put(path, text string) func(*testing.T, string) {
	return func(t *testing.T, dir string) {
		t.Helper()
		path := filepath.Join(dir, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// TestNoTrail is about builds of which it can't be told what they saw.
func TestNoTrail(t *testing.T) {
	for name, files := range map[string]string{
		"nothing can be followed": ". index.js\n-- tsconfig.json --\n{ \"extends\": \"nowhere/at/all\" }\n-- index.js --\nexport default 1\n",
	} {
		_, o := source(t, files)
		time.Sleep(2 * tick)
		b, err := Build(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		if b.Made != nil || Unchanged(b.Made) {
			t.Errorf("%s: %v", name, b.Made)
		}
	}
	// Written just now: it may be written again in the same tick of the clock.
	tr := newTrail()
	path := filepath.Join(t.TempDir(), "new")
	if err := os.WriteFile(path, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	tr.folder(path)
	if tr.made() != nil {
		t.Error("a file that is as old as the build is trusted")
	}
}

// TestSettingsThatNeverEnd has esbuild read nothing that would fill the memory.
func TestSettingsThatNeverEnd(t *testing.T) {
	const files = `
app src/index.ts
-- app/src/index.ts --
import dep from "dep"
import "./sub/more"
export default dep
-- app/src/sub/more.ts --
export {}
-- app/node_modules/dep/index.js --
export default 1
`
	for _, name := range []string{
		"app/package.json", "app/tsconfig.json", "app/jsconfig.json", "app/src/package.json", "app/src/sub/tsconfig.json",
		"app/node_modules/dep/package.json", "package.json",
	} {
		t.Run(name, func(t *testing.T) {
			dir, o := source(t, strings.TrimPrefix(files, "\n"))
			if err := os.Symlink("/dev/zero", filepath.Join(dir, name)); err != nil {
				t.Fatal(err)
			}
			refused(t, o)
		})
	}
	t.Run("extends", func(t *testing.T) {
		_, o := source(t, strings.TrimPrefix(files, "\n")+"-- app/tsconfig.json --\n{ \"extends\": \"/dev/zero\" }\n")
		refused(t, o)
	})
}

func refused(t *testing.T, o Options) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if _, err := Build(ctx, o); err == nil || !strings.Contains(err.Error(), "is not a regular file") {
		t.Errorf("got %v", err)
	}
}
