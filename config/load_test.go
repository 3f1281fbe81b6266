package config

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"github.com/nano-runtime/nano/internal/await"
)

var update = flag.Bool("update", false, "write what is got into testdata as what is wanted")

// golden runs a test for each archive that matches pattern: it unpacks the
// files into a folder, and compares what got returns, with DIR in place of the
// folder's name, to the archive's file "want".
func golden(t *testing.T, pattern string, got func(t *testing.T, dir string) string) {
	archives, err := filepath.Glob(pattern)
	if err != nil || len(archives) == 0 {
		t.Fatalf("no archives match %s: %v", pattern, err)
	}
	for _, path := range archives {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(path)
			if err != nil {
				t.Fatal(err)
			}
			dir, want := t.TempDir(), (*txtar.File)(nil)
			for i, f := range archive.Files {
				if f.Name == "want" {
					want = &archive.Files[i]
					continue
				}
				writeFile(t, filepath.Join(dir, f.Name), string(f.Data))
			}
			if want == nil {
				archive.Files = append(archive.Files, txtar.File{Name: "want"})
				want = &archive.Files[len(archive.Files)-1]
			}
			text := strings.ReplaceAll(got(t, dir), dir, "DIR")
			if diff := cmp.Diff(string(want.Data), text); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if *update {
				want.Data = []byte(text)
				if err := os.WriteFile(path, txtar.Format(archive), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

func writeFile(t testing.TB, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func options(dir string) Options {
	return Options{Path: filepath.Join(dir, "nano.toml"), StateDir: filepath.Join(dir, "state")}
}

// TestProblems has an archive for each kind of thing that can be wrong.
func TestProblems(t *testing.T) {
	golden(t, "testdata/problems/*.txtar", func(t *testing.T, dir string) string {
		c, err := Load(options(dir))
		var problems Problems
		if !errors.As(err, &problems) {
			t.Fatalf("Load returned %v; want Problems", err)
		}
		if confined := problems.confined(); confined != (c != nil) {
			t.Errorf("Load returned the Config %v; want one if all problems are of the apps' own files (%t)", c, confined)
		}
		for _, p := range problems {
			if p.Line < 1 || p.Column < 1 || p.File == "" || p.Message == "" || strings.Contains(p.Message, "%!") {
				t.Errorf("incomplete problem %+v", p)
			}
		}
		return problems.Error() + "\n"
	})
}

// TestValid has an archive for each kind of configuration that is sound.
func TestValid(t *testing.T) {
	golden(t, "testdata/valid/*.txtar", func(t *testing.T, dir string) string {
		c, err := Load(options(dir))
		if err != nil {
			t.Fatal(err)
		}
		var text strings.Builder
		write := func(v any) {
			e := json.NewEncoder(&text)
			e.SetEscapeHTML(false)
			if err := e.Encode(v); err != nil {
				t.Fatal(err)
			}
		}
		write(c.Server)
		for _, app := range c.Apps {
			write(app)
			write(app.Origin)
		}
		for _, file := range c.Files {
			fmt.Fprintln(&text, file)
		}
		return text.String()
	})
}

func TestRootsThatCannotBeRead(t *testing.T) {
	tests := map[string]struct {
		make func(t *testing.T, root string)
		want string
	}{
		"not there": {func(t *testing.T, root string) {}, "does not exist; create the folder, or correct the path"},
		"file":      {func(t *testing.T, root string) { writeFile(t, root, "") }, "is no folder; name the folder that holds the app's files"},
		"loop of links": {
			func(t *testing.T, root string) { symlink(t, root, root) },
			"can't be read: too many levels of symbolic links; let it be read, or correct the path",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			root := filepath.Join(dir, "root")
			tt.make(t, root)
			writeFile(t, filepath.Join(dir, "nano.toml"), "[apps.a]\nhosts = ['a.example']\nroot = 'root'\n")
			_, err := Load(options(dir))
			want := filepath.Join(dir, "nano.toml") + ":3:8: root " + `"` + root + `" ` + tt.want
			if err == nil || err.Error() != want {
				t.Errorf("got  %v\nwant %s", err, want)
			}
		})
	}
}

func TestFoldersThatCannotBeRead(t *testing.T) {
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "nano.toml"), "")
	writeFile(t, filepath.Join(dir, "apps.d"), "a file")
	symlink(t, "apps.d", filepath.Join(dir, "state", "apps.d"))
	_, err := Load(options(dir))
	want := filepath.Join(dir, "apps.d") + ":1:1: the folder can't be read: not a directory\n" +
		filepath.Join(dir, "state/apps.d") + ":1:1: the folder can't be read: too many levels of symbolic links"
	if err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

func TestFilesThatCannotBeRead(t *testing.T) {
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "apps.d", "folder.toml"), 0o755); err != nil {
		t.Fatal(err)
	}
	_, err := Load(options(dir))
	want := filepath.Join(dir, "nano.toml") + ":1:1: the file can't be read: no such file or directory; create it, or name another\n" +
		filepath.Join(dir, "apps.d/folder.toml") + ":1:1: the file can't be read: it is not a regular file"
	if err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

func TestAssetsThatLinkOutOfRoot(t *testing.T) {
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "other", "secret"), "")
	symlink(t, "../other", filepath.Join(dir, "app", "public"))
	writeFile(t, filepath.Join(dir, "nano.toml"), "[apps.a]\nhosts = ['a.example']\nroot = 'app'\nassets = 'public'\n")
	c, err := Load(options(dir))
	if err == nil || !strings.Contains(err.Error(), `nano.toml:4:10: assets "public" is outside of root`) {
		t.Errorf("got %v", err)
	}
	if c == nil || len(c.Apps[0].Problems) != 1 || c.Apps[0].Problems[0].App != "a" {
		t.Errorf("the problem is not confined to the app: %+v", c)
	}

	// A root that is a link itself is nothing special.
	symlink(t, "other", filepath.Join(dir, "current"))
	writeFile(t, filepath.Join(dir, "nano.toml"), "[apps.a]\nhosts = ['a.example']\nroot = 'current'\nassets = '.'\n")
	if _, err := Load(options(dir)); err != nil {
		t.Error(err)
	}
}

func TestLoadFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "My Blog")
	writeFile(t, filepath.Join(dir, "src", "index.ts"), "")
	writeFile(t, filepath.Join(dir, "other.js"), "")
	tests := map[string]struct{ path, entry string }{
		"folder": {dir, "src/index.ts"},
		"file":   {filepath.Join(dir, "other.js"), "other.js"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			c, err := LoadFolder(tt.path)
			if err != nil {
				t.Fatal(err)
			}
			app, ok := c.App("my-blog")
			if tt.path != dir {
				app, ok = c.Apps[0], true
			}
			if !ok || len(c.Apps) != 1 {
				t.Fatalf("got the apps %+v; want my-blog", c.Apps)
			}
			if want := filepath.Join(dir, tt.entry); app.Entry != want || !app.Default || !app.Enabled || app.Root != dir {
				t.Errorf("got %+v; want the default app with the entry %s", app, want)
			}
			if app.Limits != builtinLimits() {
				t.Errorf("got limits %v", app.Limits)
			}
		})
	}
	for _, path := range []string{filepath.Join(dir, "none"), filepath.Join(dir, "src")} {
		_, err := LoadFolder(path)
		var problems Problems
		if path == filepath.Join(dir, "src") {
			if err != nil {
				t.Error(err)
			}
		} else if !errors.As(err, &problems) || len(problems) != 1 || !strings.HasPrefix(err.Error(), path+":1:1: root ") {
			t.Errorf("%s: got %v", path, err)
		}
	}
}

func TestSame(t *testing.T) {
	load := func(text string) App {
		t.Helper()
		dir := t.TempDir()
		writeFile(t, filepath.Join(dir, "index.js"), "")
		writeFile(t, filepath.Join(dir, "nano.toml"), strings.ReplaceAll(text, "ROOT", dir))
		c, err := Load(options(dir))
		if err != nil {
			t.Fatal(err)
		}
		a := c.Apps[0]
		a.Root, a.Entry = "", ""
		return a
	}
	const base = "[apps.a]\nroot = 'ROOT'\n"
	a := load(base + "hosts = ['a.example']\nenv.X = {y = [1]}\negress = ['10.0.0.0/8']")
	for text, want := range map[string]bool{
		"\n\n" + base + "hosts = ['A.example.']\negress = ['10.0.0.0/8']\nenv = {X = {y = [1]}}": true,
		base + "hosts = ['a.example']\nenv.X = {y = [2]}\negress = ['10.0.0.0/8']":               false,
		base + "hosts = ['a.example']\nenv.X = {y = [1]}\negress = ['10.0.0.0/9']":               false,
		base + "hosts = ['b.example']\nenv.X = {y = [1]}\negress = ['10.0.0.0/8']":               false,
	} {
		if got := a.Same(load(text)); got != want {
			t.Errorf("Same = %t for\n%s", got, text)
		}
	}
}

func TestConfinedProblemsLeaveTheRest(t *testing.T) {
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "good", "index.js"), "")
	writeFile(t, filepath.Join(dir, "nano.toml"), "[apps.good]\nhosts=['a.example']\nroot='good'\n[apps.bad]\nhosts=['b.example']\nroot='bad'\n")
	c, err := Load(options(dir))
	if err == nil || c == nil {
		t.Fatalf("got %v, %v; want both a Config and an error", c, err)
	}
	bad, _ := c.App("bad")
	good, _ := c.App("good")
	if len(bad.Problems) != 1 || len(good.Problems) != 0 || good.Entry == "" {
		t.Errorf("got %+v and %+v", bad, good)
	}
}

func symlink(t testing.TB, to, path string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	if err := os.Symlink(to, path); err != nil {
		t.Fatal(err)
	}
}

// TestEachListedKeyIsTaken checks the lists of keys against the code that takes
// them.
func TestEachListedKeyIsTaken(t *testing.T) {
	for header, keys := range map[string][]string{"server": serverKeys, "defaults": appKeys, "apps.a": appKeys, "apps.a.limits": limitKeys} {
		for _, key := range keys {
			dir := t.TempDir()
			writeFile(t, filepath.Join(dir, "nano.toml"), fmt.Sprintf("[%s]\n%s = nan\n", header, key))
			_, err := Load(options(dir))
			if err == nil || strings.Contains(err.Error(), "unknown key") {
				t.Errorf("[%s] %s = nan: %v", header, key, err)
			}
		}
	}
}

// BenchmarkLoad reads a configuration of many apps, each in a file of its own.
func BenchmarkLoad(b *testing.B) {
	const apps = 2000
	dir := b.TempDir()
	writeFile(b, filepath.Join(dir, "nano.toml"), "[defaults]\nidle = '5m'\n")
	for i := range apps {
		writeFile(b, filepath.Join(dir, "app", fmt.Sprint(i), "index.js"), "")
		writeFile(b, filepath.Join(dir, "apps.d", fmt.Sprintf("%d.toml", i)),
			fmt.Sprintf("[apps.app-%d]\nhosts = ['%d.example.com', '*.%d.example.com']\nroot = '../app/%d'\nenv = { A = 'x' }\n", i, i, i, i))
	}
	b.ReportAllocs()
	for b.Loop() {
		if c, err := Load(options(dir)); err != nil || len(c.Apps) != apps {
			b.Fatal(err)
		}
	}
}

// TestLargePackageJSON: an app's own files don't keep the others waiting.
func TestLargePackageJSON(t *testing.T) {
	load := func(items int) error {
		dir := t.TempDir()
		writeFile(t, filepath.Join(dir, "nano.toml"), "[apps.one]\nhosts=[\"one.test\"]\nroot=\"app\"\n")
		writeFile(t, filepath.Join(dir, "app/index.js"), "")
		writeFile(t, filepath.Join(dir, "app/package.json"), `{"x":[0`+strings.Repeat(",0", items)+`]}`)
		_, err := Load(Options{Path: filepath.Join(dir, "nano.toml")})
		return err
	}
	began := time.Now()
	if err := load(500_000); err != nil {
		t.Error(err)
	}
	if took := time.Since(began); took > await.Deadline { // it takes a second, or with the square of its length five minutes
		t.Errorf("it took %s", took)
	}
	if err := load(600_000); err == nil || !strings.Contains(err.Error(), "package.json:1:1: the file can't be read: it is longer than 1MiB") {
		t.Errorf("got %v", err)
	}
}
