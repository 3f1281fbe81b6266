package app

import (
	"log/slog"
	"testing"

	"github.com/nano-runtime/nano/config"
)

// Seed puts the apps of a configuration into a set's cache as if each had been tried. All
// have the same files.
func (s *Set) Seed(t testing.TB, cfg *config.Config) {
	t.Helper()
	b := build(t, cfg.Apps[0])
	for _, c := range cfg.Apps {
		r, err := newRelease(newApp(s, c), c, "test")
		if err != nil {
			t.Fatal(err)
		}
		e := &entry{App: c.Name, Root: c.Root, Entry: c.Entry, Hash: b.Hash, Inputs: b.Inputs, Made: b.Made, Good: r.hash(b.Hash)}
		if !s.store.write(e, parts{b.Code, b.DeflatedMap(), nil}) {
			t.Fatal("no entry was written")
		}
	}
}

// Forgotten reports whether an app's code is neither in memory nor, but for the store's, kept
// otherwise.
func (a *App) Forgotten() bool {
	r := a.current.Load()
	if r == nil {
		return false
	}
	r.module.mu.Lock()
	defer r.module.mu.Unlock()
	return r.module.bundle == nil && r.module.packed == nil
}

// WriteForEver writes entry after entry into a store, and calls told after each.
func WriteForEver(dir string, cfg config.App, told func()) {
	s, err := openStore(dir, slog.New(slog.DiscardHandler))
	if err != nil {
		panic(err)
	}
	for n := 0; ; n++ {
		code := make([]byte, 300_000)
		for i := range code {
			code[i] = byte(n)
		}
		s.write(&entry{App: cfg.Name, Root: cfg.Root, Entry: cfg.Entry, Hash: string(rune('a' + n%2))}, parts{code: code})
		told()
	}
}

// WholeEntries reads the entries that WriteForEver left, and reports how many there are.
func WholeEntries(t testing.TB, dir, app string) (n int) {
	t.Helper()
	s, err := openStore(dir, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	for _, hash := range []string{"a", "b"} {
		if _, p, err := s.read(app, hash); err == nil {
			n++
			for _, c := range p.code {
				if c != p.code[0] {
					t.Fatal("two writes are mixed")
				}
			}
		}
	}
	return n
}

// Heap is what the isolates that serve hold when what they don't need is gone, in bytes.
func (a *App) Heap() int64 {
	r := a.current.Load()
	for _, w := range *r.workers.Load() {
		w.isolate.Trim()
	}
	return r.memory().Heap
}
