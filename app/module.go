package app

import (
	"bytes"
	"compress/flate"
	"context"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/nano-runtime/nano/bundle"
)

const (
	// buildTimeout bounds how long an app is bundled, and slotTimeout for how long one
	// that a request waits for keeps others from it: a file of its own may hang.
	buildTimeout = time.Minute
	slotTimeout  = 5 * time.Second
	// buildsPerCore bounds how many hang at once: each may be a process.
	buildsPerCore = 4
	// keepWithin is how long the store waits for an isolate to pause.
	keepWithin = 2 * time.Second
)

// module is a release's code: in memory while it is awake, and in the store, or deflated
// where there is none, while it sleeps.
type module struct {
	saving sync.Mutex // held while the store is written to; taken before mu

	mu     sync.Mutex // guards the fields below
	hash   string     // of the code; "" while it isn't known
	inputs []string
	made   []bundle.Stamp // what decided it, for the store; nil: can't be told
	bundle *bundle.Bundle // nil while it isn't in memory
	cache  []byte         // V8's code cache, or nil
	ripe   bool           // the cache was made after requests had been served
	stored bool           // the store has it
	good   string         // the version that is known to load
	packed *parts         // where the store doesn't have it, deflated
}

func (m *module) sources() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.inputs
}

func (m *module) codeCache() []byte {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.cache
}

// rejected forgets a code cache that V8 could not use.
func (m *module) rejected() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.cache, m.ripe = nil, false
}

// built takes what was made of the app's files.
func (m *module) built(b *bundle.Bundle) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.hash, m.inputs, m.made, m.bundle = b.Hash, b.Inputs, b.Made, b
	m.cache, m.ripe, m.stored, m.good, m.packed = nil, false, false, "", nil
}

// found takes what the store knows.
func (m *module) found(e *entry) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.hash, m.inputs, m.good, m.ripe, m.stored = e.Hash, e.Inputs, e.Good, e.Ripe, true
}

// restored takes what the store, or packed, had.
func (m *module) restored(p parts) *bundle.Bundle {
	b := bundle.Restore(p.code, p.deflatedMap, m.inputs)
	m.bundle, m.cache, m.packed = b, p.cache, nil
	if len(p.cache) == 0 {
		m.cache, m.ripe = nil, false
	}
	return b
}

// source is the code while it is in memory, else nil.
func (r *release) source() *bundle.Bundle {
	r.module.mu.Lock()
	defer r.module.mu.Unlock()
	return r.module.bundle
}

// code brings the code into memory: from the store, or from the app's files. One
// goroutine at a time may call it.
func (r *release) code(ctx context.Context, asked bool) (*bundle.Bundle, error) {
	if b := r.source(); b != nil {
		return b, nil
	}
	if b := r.restore(); b != nil {
		return b, nil
	}
	if asked {
		wait, cancel := context.WithTimeout(ctx, buildTimeout)
		leave, err := r.app.set.slot(wait)
		cancel()
		if err != nil {
			return nil, err
		}
		defer leave()
	}
	if err := r.build(ctx); err != nil {
		return nil, err
	}
	return r.source(), nil
}

// build makes the code of the app's files.
func (r *release) build(ctx context.Context) error {
	set := r.app.set
	select {
	case set.building <- struct{}{}:
		defer func() { <-set.building }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, buildTimeout, fmt.Errorf("cannot bundle: it took longer than %s", buildTimeout))
	defer cancel()
	o := bundle.Options{Root: r.cfg.Root, Entry: r.cfg.Entry, Dev: set.opts.Dev}
	var b *bundle.Bundle
	var err error
	if len(set.opts.Bundler) > 0 {
		b, err = bundle.BuildApart(ctx, set.opts.Bundler, o)
	} else {
		b, err = bundle.Build(ctx, o)
	}
	if err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return err
	}
	r.module.built(b)
	return nil
}

// restore brings back the code that the store has, or packed; nil where neither does.
func (r *release) restore() *bundle.Bundle {
	m, store := &r.module, r.app.set.store
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.packed != nil {
		p, err := m.packed.inflate()
		if err != nil {
			return nil
		}
		return m.restored(p)
	}
	if store == nil {
		return nil
	}
	if m.hash == "" {
		e := store.find(r.cfg)
		if e == nil || e.Program != store.program {
			return nil
		}
		m.hash, m.inputs = e.Hash, e.Inputs
	}
	e, p, err := store.read(r.app.Name, m.hash)
	if err != nil {
		m.stored = false
		return nil
	}
	m.good, m.ripe, m.stored = e.Good, e.Ripe, true
	return m.restored(p)
}

// keep puts the code into the store once w has evaluated it.
func (r *release) keep(w *worker) {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for began := time.Now(); r.unsaved(false) && time.Since(began) < keepWithin; {
		if r.save(w, false) {
			return
		}
		select {
		case <-tick.C:
		case <-r.app.set.ctx.Done():
			return
		}
	}
}

// ripen puts into the store what V8 has compiled since, for the requests that it served.
func (r *release) ripen(w *worker) {
	if r.unsaved(r.app.stats.last.Load() != 0) {
		r.save(w, r.app.stats.last.Load() != 0)
	}
}

// unsaved reports whether w's code, or code cache, is worth being saved.
func (r *release) unsaved(ripe bool) bool {
	m := &r.module
	m.mu.Lock()
	defer m.mu.Unlock()
	if r.app.set.store == nil {
		return m.cache == nil || ripe && !m.ripe
	}
	if !m.stored && m.made == nil {
		return m.cache == nil // the store can't have it
	}
	return !m.stored || m.good != r.hash(m.hash) || m.cache == nil || ripe && !m.ripe
}

// save takes the code cache of w, and puts it into the store with all the rest. It
// reports false where w is busy.
func (r *release) save(w *worker, ripe bool) bool {
	m, store := &r.module, r.app.set.store
	m.saving.Lock()
	defer m.saving.Unlock()
	if !r.unsaved(ripe) {
		return true
	}
	cache := w.isolate.CodeCache()
	if cache == nil {
		return false
	}
	m.mu.Lock()
	b := m.bundle
	m.cache, m.ripe = cache, ripe
	e := &entry{
		App: r.app.Name, Root: r.cfg.Root, Entry: r.cfg.Entry, Hash: m.hash, Inputs: m.inputs, Made: m.made,
		Good: r.hash(m.hash), Ripe: ripe,
	}
	stored := m.stored
	m.mu.Unlock()
	if store == nil || b == nil || !stored && e.Made == nil {
		return true
	}
	if stored {
		before, _, err := store.read(e.App, e.Hash)
		if err != nil {
			m.mu.Lock()
			defer m.mu.Unlock()
			m.stored = false
			return true
		}
		e.Made = before.Made
	}
	stored = store.write(e, parts{b.Code, b.DeflatedMap(), cache})
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.stored = stored; stored {
		m.made, m.good = nil, e.Good
	}
	return true
}

// forget gives back the memory that the code takes. Where the store doesn't have it,
// pack says to keep it deflated.
func (r *release) forget(pack bool) {
	m := &r.module
	m.mu.Lock()
	defer m.mu.Unlock()
	if pack && !m.stored && m.bundle != nil {
		p, err := parts{m.bundle.Code, m.bundle.DeflatedMap(), m.cache}.deflate()
		if err != nil {
			return
		}
		m.packed = p
	}
	m.bundle, m.cache = nil, nil
}

// deflate packs the parts; the map is already.
func (p parts) deflate() (*parts, error) {
	packed := &parts{deflatedMap: p.deflatedMap}
	for _, part := range []struct{ to, from *[]byte }{{&packed.code, &p.code}, {&packed.cache, &p.cache}} {
		var b bytes.Buffer
		w, err := flate.NewWriter(&b, flate.BestSpeed)
		if err != nil {
			return nil, err
		}
		if _, err := w.Write(*part.from); err != nil {
			return nil, err
		}
		if err := w.Close(); err != nil {
			return nil, err
		}
		*part.to = bytes.Clone(b.Bytes())
	}
	return packed, nil
}

func (p *parts) inflate() (parts, error) {
	out := parts{deflatedMap: p.deflatedMap}
	var err error
	if out.code, err = io.ReadAll(flate.NewReader(bytes.NewReader(p.code))); err != nil {
		return parts{}, err
	}
	out.cache, err = io.ReadAll(flate.NewReader(bytes.NewReader(p.cache)))
	return out, err
}
