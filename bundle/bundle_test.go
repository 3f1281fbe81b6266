package bundle

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"
)

// unpack writes an archive's files below a new folder, which it returns. A
// name that ends in .hex holds bytes in hexadecimal, one that ends in .link
// where a symlink leads to.
func unpack(t *testing.T, ar *txtar.Archive) string {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range ar.Files {
		path := filepath.Join(dir, f.Name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		switch filepath.Ext(path) {
		case ".hex":
			data, err := hex.DecodeString(strings.Join(strings.Fields(string(f.Data)), ""))
			if err != nil {
				t.Fatal(err)
			}
			f.Data, path = data, strings.TrimSuffix(path, ".hex")
		case ".link":
			if err := os.Symlink(strings.TrimSpace(string(f.Data)), strings.TrimSuffix(path, ".link")); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if err := os.WriteFile(path, f.Data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// project unpacks an archive whose comment's first line is "root entry".
func project(t *testing.T, ar *txtar.Archive) (dir string, o Options) {
	t.Helper()
	dir = unpack(t, ar)
	head, _, _ := strings.Cut(string(ar.Comment), "\n")
	fields := strings.Fields(head)
	if len(fields) < 2 {
		t.Fatalf("the archive starts with %q, want a root and an entry", head)
	}
	return dir, Options{
		Root:  filepath.Join(dir, fields[0]),
		Entry: strings.ReplaceAll(fields[1], "DIR", dir),
		Dev:   slices.Contains(fields, "dev"),
	}
}

func source(t *testing.T, files string) (dir string, o Options) {
	t.Helper()
	return project(t, txtar.Parse([]byte(files)))
}

var update = flag.Bool("update", false, "rewrite what the archives in testdata want")

// compare checks got against a file of an archive.
func compare(t *testing.T, path, name, got string) {
	t.Helper()
	ar, err := txtar.ParseFile(path)
	if err != nil {
		t.Fatal(err)
	}
	want := file(ar, name)
	if got == want {
		return
	}
	if !*update {
		t.Errorf("%s (-want +got):\n%s", name, cmp.Diff(want, got))
		return
	}
	i := slices.IndexFunc(ar.Files, func(f txtar.File) bool { return f.Name == name })
	if i < 0 {
		i = len(ar.Files)
		ar.Files = append(ar.Files, txtar.File{Name: name})
	}
	ar.Files[i].Data = []byte(got)
	if err := os.WriteFile(path, txtar.Format(ar), 0o644); err != nil {
		t.Fatal(err)
	}
}

func file(ar *txtar.Archive, name string) string {
	for _, f := range ar.Files {
		if f.Name == name {
			return string(f.Data)
		}
	}
	return ""
}

func archives(t *testing.T, pattern string) []string {
	t.Helper()
	paths, err := filepath.Glob(pattern)
	if err != nil || len(paths) == 0 {
		t.Fatalf("no test data at %s: %v", pattern, err)
	}
	return paths
}

func load(t *testing.T, path string) *txtar.Archive {
	t.Helper()
	ar, err := txtar.ParseFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return ar
}

// node runs a script in Node with what NANO's isolates have and Node 20 lacks.
func node(t *testing.T, code []byte) string {
	t.Helper()
	out, err := runNode(t, code)
	if err != nil {
		t.Fatalf("node: %v\n%s", err, out)
	}
	return out
}

func runNode(t *testing.T, code []byte) (string, error) {
	t.Helper()
	dir := t.TempDir()
	const prelude = `
import { AsyncLocalStorage } from "node:async_hooks"
const als = new AsyncLocalStorage()
globalThis.nodeModule = process.getBuiltinModule
globalThis[Symbol.for("nano.context")] = { get: () => als.getStore(), set: (v) => als.enterWith(v) }
globalThis[Symbol.for("nano.waitUntil")] = (p) => p.then((v) => console.log("waited for", v))
globalThis[Symbol.for("nano.env")] = Object.freeze({ GREETING: "hi" })
Uint8Array.fromBase64 ??= (text) => new Uint8Array(Buffer.from(text, "base64"))
delete globalThis.process
delete globalThis.require
`
	for name, text := range map[string][]byte{"prelude.mjs": []byte(prelude), "bundle.mjs": code} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "node", "--import", "./prelude.mjs", "bundle.mjs")
	cmd.WaitDelay = time.Second
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func TestRun(t *testing.T) {
	for _, path := range archives(t, "testdata/run/*.txtar") {
		t.Run(filepath.Base(path), func(t *testing.T) {
			t.Parallel()
			dir, o := project(t, load(t, path))
			b, err := Build(t.Context(), o)
			if err != nil {
				t.Fatal(err)
			}
			compare(t, path, "want", node(t, b.Code))
			var warnings strings.Builder
			for _, m := range b.Warnings {
				warnings.WriteString(strings.ReplaceAll(m.String(), dir, "DIR") + "\n")
			}
			compare(t, path, "warnings", warnings.String())
		})
	}
}

func TestErrors(t *testing.T) {
	for _, path := range archives(t, "testdata/errors/*.txtar") {
		t.Run(filepath.Base(path), func(t *testing.T) {
			dir, o := project(t, load(t, path))
			_, err := Build(t.Context(), o)
			var e *Error
			if !errors.As(err, &e) {
				t.Fatalf("got %v, want an *Error", err)
			}
			compare(t, path, "want", strings.ReplaceAll(err.Error(), dir, "DIR")+"\n")
		})
	}
}

func TestErrorHasInputs(t *testing.T) {
	dir, o := source(t, `
. a.ts
-- a.ts --
import "./b"
-- b.ts --
let x = ;
-- tsconfig.json --
{}
`[1:])
	_, err := Build(t.Context(), o)
	var e *Error
	if !errors.As(err, &e) {
		t.Fatalf("got %v, want an *Error", err)
	}
	want := []string{dir + "/a.ts", dir + "/b.ts", dir + "/tsconfig.json"}
	if diff := cmp.Diff(want, e.Inputs); diff != "" {
		t.Errorf("inputs (-want +got):\n%s", diff)
	}
}

func TestInputsHashAndSize(t *testing.T) {
	dir, o := source(t, `
app src/index.ts
-- app/src/index.ts --
import { used } from "./used"
import text from "./hello.txt"
import dep from "dep"
export default { fetch: () => new Response(used + text + dep) }
-- app/src/used.ts --
// A comment that the script doesn't need.
export const used: string = "used"
-- app/src/hello.txt --
hello
-- app/package.json --
{ "type": "module" }
-- app/node_modules/dep/index.js --
export default "dep"
`[1:])
	b, err := Build(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"package.json", "src/hello.txt", "src/index.ts", "src/used.ts"}
	for i := range want {
		want[i] = filepath.Join(dir, "app", want[i])
	}
	if diff := cmp.Diff(want, b.Inputs); diff != "" {
		t.Errorf("inputs (-want +got):\n%s", diff)
	}
	if bytes.Contains(b.Code, []byte("comment")) || bytes.Count(b.Code, []byte("\n")) > 2 {
		t.Errorf("the script is not minified:\n%s", b.Code)
	}
	again, err := Build(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if again.Hash != b.Hash || len(b.Hash) != 32 {
		t.Errorf("two builds of the same files have the hashes %q and %q", b.Hash, again.Hash)
	}
	if err := os.WriteFile(filepath.Join(dir, "app/src/hello.txt"), []byte("bye"), 0o644); err != nil {
		t.Fatal(err)
	}
	if again, err = Build(t.Context(), o); err != nil || again.Hash == b.Hash {
		t.Errorf("after a change the hash is %v, error %v", again, err)
	}
}

// The file a bundle was made of may be anything by the time it is read.
func TestFilesThatHang(t *testing.T) {
	for _, name := range []string{"data.txt", "package.json"} {
		t.Run(name, func(t *testing.T) {
			dir, o := source(t, ". index.js\n-- index.js --\nimport './data.txt'\n")
			fifo := filepath.Join(dir, name)
			if err := syscall.Mkfifo(fifo, 0o644); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
			defer cancel()
			_, err := Build(ctx, o)
			if err == nil {
				t.Error("a FIFO was bundled")
			}
			// Let go of the read that esbuild may be in.
			if w, err := os.OpenFile(fifo, os.O_WRONLY|syscall.O_NONBLOCK, 0); err == nil {
				w.Close()
			}
		})
	}
}

func TestCancel(t *testing.T) {
	_, o := source(t, ". index.js\n-- index.js --\nexport default {}\n")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Build(ctx, o); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
}
