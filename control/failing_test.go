package control_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/nano-runtime/nano/control"
)

// block puts in the way of a file what can't be replaced: so does a full disk, or one
// that has become read-only.
func block(t *testing.T, path string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Join(path, "x"), 0o700); err != nil {
		t.Fatal(err)
	}
}

// TestWriteFails changes an app while the disk is full and a deploy is half done: what
// served serves on.
func TestWriteFails(t *testing.T) {
	w := begin(t, files)
	w.put(w.three("three", 1))
	w.write("-- three/index.js --\nexport default {\n-- three/other.js --\nexport default { fetch: () => new Response(\"other\") }\n")
	block(t, filepath.Join(w.dir, "state/apps.d/.three.toml.new"))
	other := draft(t, "three", `{"hosts": ["three.test"], "root": %q, "entry": "other.js"}`, filepath.Join(w.dir, "three"))
	if _, err := w.c.Put(t.Context(), other, control.Expect{}, "test"); err == nil {
		t.Error("it is said to be written")
	}
	w.want("three.test", "200 three 1")
}

// TestRemovalFails is TestWriteFails for the removal of an app.
func TestRemovalFails(t *testing.T) {
	w := begin(t, files)
	w.put(w.three("three", 1))
	w.put(w.three("three", 2))
	w.write("-- three/index.js --\nexport default {\n")
	path := filepath.Join(w.dir, "state/apps.d/three.toml")
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	block(t, path)
	if _, _, err := w.c.Remove(t.Context(), "three", control.Expect{}, "test"); err == nil {
		t.Error("it is said to be removed")
	}
	w.want("three.test", "200 three 2")
	if v := w.info("three").Version.Number; v != 2 {
		t.Errorf("version %d", v)
	}
}

// TestUpgradeOnFullDisk has a new generation start though who asked can't be written down.
func TestUpgradeOnFullDisk(t *testing.T) {
	w := begin(t, files)
	block(t, filepath.Join(w.dir, "state/running.json.new"))
	started := errors.New("started")
	if _, err := w.c.Upgrade(t.Context(), "test", func(context.Context) error { return started }); !errors.Is(err, started) {
		t.Errorf("got %v", err)
	}
}

// TestLockFileGone: who removes the lock, or tries another process on the directory, does
// not take the right from the one that serves.
func TestLockFileGone(t *testing.T) {
	for name, spoil := range map[string]func(path string) error{
		"removed":         os.Remove,
		"another process": func(path string) error { return os.WriteFile(path, []byte("4194305 gone"), 0o600) },
	} {
		t.Run(name, func(t *testing.T) {
			w := begin(t, files)
			w.put(w.three("three", 1))
			if err := spoil(filepath.Join(w.dir, "state/lock")); err != nil {
				t.Fatal(err)
			}
			for n := range 2 {
				w.put(w.three("three", n))
			}
			if _, err := w.c.Reload(t.Context(), "test"); err != nil {
				t.Errorf("reload: %v", err)
			}
		})
	}
}

// TestPutOfFailedApp tries an app anew that could not be loaded, though it is the same.
func TestPutOfFailedApp(t *testing.T) {
	w := begin(t, files)
	w.put(w.three("three", 1))
	good, err := os.ReadFile(filepath.Join(w.dir, "three/index.js"))
	if err != nil {
		t.Fatal(err)
	}
	w.write("-- three/index.js --\nexport default {\n")
	w.c.Close()
	n := w.again(false)
	n.c.Serving()
	var failed *control.LoadError
	if _, err := n.c.Put(t.Context(), n.three("three", 1), control.Expect{}, "test"); !errors.As(err, &failed) {
		t.Errorf("still broken: got %v", err)
	}
	if err := os.WriteFile(filepath.Join(w.dir, "three/index.js"), good, 0o644); err != nil {
		t.Fatal(err)
	}
	n.put(n.three("three", 1))
	n.want("three.test", "200 three 1")
}

// TestETagOfSecrets: a change of where a secret comes from is one that others must see.
func TestETagOfSecrets(t *testing.T) {
	w := begin(t, files)
	t.Setenv("FIRST", "a")
	t.Setenv("SECOND", "b")
	from := func(name string) string {
		return `{"hosts": ["three.test"], "root": "` + filepath.Join(w.dir, "three") + `", "secrets": {"N": "env:` + name + `"}}`
	}
	w.put(draft(t, "three", "%s", from("FIRST")))
	read := control.ETag(mustApp(t, w, "three"))
	w.put(draft(t, "three", "%s", from("SECOND")))
	if _, err := w.c.Put(t.Context(), draft(t, "three", "%s", from("FIRST")), control.Expect{ETag: read}, "test"); !errors.Is(err, control.ErrStale) {
		t.Errorf("got %v", err)
	}
	w.want("three.test", "200 three b")
}
