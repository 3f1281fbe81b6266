package app

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nano-runtime/nano/bundle"
	"github.com/nano-runtime/nano/config"
)

// stored is a store with one entry, of an app whose only file is there.
func stored(t testing.TB) (s *store, cfg config.App, e *entry, path string) {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, "app", "index.js")
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte("export default { fetch: () => new Response() }"), 0o644); err != nil {
		t.Fatal(err)
	}
	cfg = config.App{Name: "a", Root: filepath.Dir(file), Entry: file}
	b := build(t, cfg)
	s, err := openStore(filepath.Join(dir, "cache"), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.close() }) // some tests have done it
	e = &entry{App: "a", Root: cfg.Root, Entry: cfg.Entry, Hash: b.Hash, Inputs: b.Inputs, Made: b.Made, Good: "good"}
	if !s.write(e, parts{b.Code, b.DeflatedMap(), []byte("cache")}) {
		t.Fatal("the entry was not written")
	}
	return s, cfg, e, filepath.Join(dir, "cache", storeFolder, "a"+newestEntry)
}

// build bundles an app whose files are old enough to be trusted.
func build(t testing.TB, cfg config.App) *bundle.Bundle {
	t.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); {
		b, err := bundle.Build(t.Context(), bundle.Options{Root: cfg.Root, Entry: cfg.Entry})
		if err != nil {
			t.Fatal(err)
		}
		if b.Made != nil {
			return b
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatal("no build leaves a trail")
	return nil
}

// TestStore reads what was written, and nothing from an entry that isn't whole.
func TestStore(t *testing.T) {
	s, cfg, e, path := stored(t)
	if got := s.find(cfg); got == nil || got.Hash != e.Hash || got.Good != "good" {
		t.Fatalf("found %+v", got)
	}
	_, p, err := s.read("a", e.Hash)
	if err != nil || string(p.cache) != "cache" || !bytes.Contains(p.code, []byte("Response")) {
		t.Fatalf("read %+v, %v", p, err)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	damage := func(name string, data []byte) {
		t.Helper()
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, _, err := s.read("a", e.Hash); err == nil {
			t.Errorf("%s: the entry was read", name)
		}
	}
	for n := 0; n < len(whole); n += 1 + len(whole)/97 {
		damage("cut short", whole[:n])
		flipped := bytes.Clone(whole)
		flipped[n] ^= 0x10
		damage("a bit flipped", flipped)
	}
	damage("one byte more", append(bytes.Clone(whole), 0))
	damage("empty", nil)
	damage("another file", []byte(strings.Repeat("x", len(whole))))
	if err := os.WriteFile(path, whole, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, other := range map[string]config.App{
		"another root":  {Name: "a", Root: filepath.Dir(cfg.Root), Entry: cfg.Entry},
		"another entry": {Name: "a", Root: cfg.Root, Entry: cfg.Entry + "x"},
		"another app":   {Name: "b", Root: cfg.Root, Entry: cfg.Entry},
	} {
		if s.find(other) != nil {
			t.Errorf("%s: the entry was found", name)
		}
	}
	// Of another program the code counts, and neither what V8 made of it nor that it loads.
	s.program = "next"
	e2, p, err := s.read("a", e.Hash)
	if err != nil || p.cache != nil || e2.Good != "" || len(p.code) == 0 {
		t.Errorf("of another program: %+v, %v", e2, err)
	}
}

// TestStoreVersions keeps the version before, which an older generation may serve.
func TestStoreVersions(t *testing.T) {
	s, cfg, first, _ := stored(t)
	for n, text := range []string{"export default { fetch: () => 1 }", "export default { fetch: () => 2 }"} {
		if err := os.WriteFile(cfg.Entry, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if s.find(cfg) != nil {
			t.Error("an entry was found for a file that has changed")
		}
		b := build(t, cfg)
		e := &entry{App: "a", Root: cfg.Root, Entry: cfg.Entry, Hash: b.Hash, Made: b.Made}
		for range 2 {
			if !s.write(e, parts{code: b.Code}) {
				t.Fatal("the entry was not written")
			}
		}
		if _, p, err := s.read("a", b.Hash); err != nil || !bytes.Equal(p.code, b.Code) {
			t.Errorf("version %d: %v", n, err)
		}
		if _, _, err := s.read("a", first.Hash); (err == nil) != (n == 0) {
			t.Errorf("after version %d the first one: %v", n, err)
		}
	}
}

// TestSweep leaves what belongs to apps, and what is being written.
func TestSweep(t *testing.T) {
	s, _, _, path := stored(t)
	dir := filepath.Dir(path)
	old := time.Now().Add(-2 * strayAfter)
	for name, at := range map[string]time.Time{
		"gone.app": time.Now(), "gone.app.1": time.Now(), "a.app.1": old, "snapshot": old,
		"a.app.7-1.tmp": time.Now(), "a.app.7-2.tmp": old, "nonsense": old,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(filepath.Join(dir, name), at, at); err != nil {
			t.Fatal(err)
		}
	}
	s.sweep(map[string]*App{"a": {}})
	left, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, d := range left {
		names = append(names, d.Name())
	}
	if want := []string{"a.app", "a.app.1", "a.app.7-1.tmp", "snapshot"}; !slices.Equal(names, want) {
		t.Errorf("left %v, want %v", names, want)
	}
}

// TestStoreIsPrivate keeps others from writing there.
func TestStoreIsPrivate(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, storeFolder), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(dir, storeFolder), 0o777); err != nil {
		t.Fatal(err)
	}
	if _, err := openStore(dir, slog.New(slog.DiscardHandler)); err == nil {
		t.Error("what others may have put there is trusted")
	}
	if err := os.Chmod(filepath.Join(dir, storeFolder), 0o755); err != nil {
		t.Fatal(err)
	}
	s, err := openStore(dir, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	if fi, err := os.Stat(filepath.Join(dir, storeFolder)); err != nil || fi.Mode().Perm() != 0o700 {
		t.Errorf("mode %v, %v", fi.Mode(), err)
	}
	if _, err := openStore("/proc", slog.New(slog.DiscardHandler)); err == nil {
		t.Error("there is a store where nobody can write")
	}
	if !s.put("x", []byte("1"), nil) {
		t.Error("not written")
	}
	if fi, err := os.Stat(filepath.Join(dir, storeFolder, "x")); err != nil || fi.Mode().Perm() != 0o600 {
		t.Errorf("an entry's mode is %v, %v", fi.Mode(), err)
	}
}
