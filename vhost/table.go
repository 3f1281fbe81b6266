// Package vhost decides which app a request's host belongs to: it brings host
// names into one canonical form, and looks them up in an immutable table of
// exact names and wildcards. It knows nothing of HTTP, of configuration files
// or of what an app is: what stands behind a host is the caller's own type.
package vhost

import (
	"fmt"
	"strings"
	"sync/atomic"
)

// An Entry puts a value behind one pattern.
type Entry[T any] struct {
	Pattern Pattern
	Value   T
}

// A Table maps canonical hosts to values. It never changes once it is made, so
// any number of goroutines may ask it at once. The nil table is empty.
type Table[T any] struct {
	exact    map[string]T
	wildcard map[string]T // by what follows "*."

	// depths has bit n set if some wildcard's suffix has n labels, so that a
	// lookup hashes only suffixes that can be there. A name has at most 127.
	depths [2]uint64

	fallback    T
	hasFallback bool
}

// NewTable makes a table of entries. fallback, if not nil, is what a host gets
// that no entry matches. A pattern that occurs twice is an error.
func NewTable[T any](entries []Entry[T], fallback *T) (*Table[T], error) {
	t := &Table[T]{exact: make(map[string]T, len(entries)), wildcard: make(map[string]T)}
	for _, e := range entries {
		names := t.exact
		if e.Pattern.wildcard {
			names = t.wildcard
			n := strings.Count(e.Pattern.name, ".") + 1
			t.depths[n/64] |= 1 << (n % 64)
		}
		if _, ok := names[e.Pattern.name]; ok {
			return nil, fmt.Errorf("host %q is claimed twice", e.Pattern.String())
		}
		names[e.Pattern.name] = e.Value
	}
	if fallback != nil {
		t.fallback, t.hasFallback = *fallback, true
	}
	return t, nil
}

// Lookup returns what stands behind a host that Normalize returned: behind its
// exact name, else behind the longest wildcard that matches it, else the
// fallback. It does not allocate, and takes as long in a big table as in a
// small one.
func (t *Table[T]) Lookup(host string) (value T, ok bool) {
	if t == nil {
		return value, false
	}
	if value, ok = t.exact[host]; ok {
		return value, true
	}
	if len(t.wildcard) == 0 {
		return t.fallback, t.hasFallback
	}
	// A wildcard stands for one label or more, so the longest suffix to try is
	// what follows the first dot, and has as many labels as the host has dots.
	// An address has dots as well, but no pattern can be a part of one.
	for n := min(strings.Count(host, "."), 127); n > 0; n-- {
		host = host[strings.IndexByte(host, '.')+1:]
		if t.depths[n/64]&(1<<(n%64)) == 0 {
			continue
		}
		if value, ok = t.wildcard[host]; ok {
			return value, true
		}
	}
	return t.fallback, t.hasFallback
}

// Len returns the number of patterns in the table.
func (t *Table[T]) Len() int {
	if t == nil {
		return 0
	}
	return len(t.exact) + len(t.wildcard)
}

// A Router holds the table that is in force. The zero Router holds an empty
// one. Its methods may be called from any goroutine.
type Router[T any] struct {
	table atomic.Pointer[Table[T]]
}

// Lookup asks the table in force.
func (r *Router[T]) Lookup(host string) (value T, ok bool) {
	return r.table.Load().Lookup(host)
}

// Table returns the table in force: for callers whose lookups must all see
// the same one.
func (r *Router[T]) Table() *Table[T] { return r.table.Load() }

// Swap puts t in force, for all hosts in one step, and returns the table that
// was. A lookup that has begun may still return what the old table holds.
func (r *Router[T]) Swap(t *Table[T]) (old *Table[T]) { return r.table.Swap(t) }
