package vhost

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
)

func newTable(t testing.TB, fallback string, patterns ...string) *Table[string] {
	t.Helper()
	entries := make([]Entry[string], len(patterns))
	for i, s := range patterns {
		p, err := ParsePattern(s)
		if err != nil {
			t.Fatalf("pattern %q: %v", s, err)
		}
		entries[i] = Entry[string]{p, s}
	}
	var none *string
	if fallback != "" {
		none = &fallback
	}
	table, err := NewTable(entries, none)
	if err != nil {
		t.Fatal(err)
	}
	return table
}

func TestLookup(t *testing.T) {
	patterns := []string{
		"example.com", "*.example.com", "www.example.com", "*.blog.example.com", "a.b.c.example.com",
		"*.localhost", "bücher.example", "127.0.0.1", "[::1]",
	}
	tests := map[string]struct{ host, want string }{
		"exact":                              {"example.com", "example.com"},
		"exact beats wildcard":               {"www.example.com", "www.example.com"},
		"wildcard":                           {"shop.example.com", "*.example.com"},
		"wildcard, many labels":              {"x.y.z.example.com", "*.example.com"},
		"longer wildcard beats shorter":      {"x.blog.example.com", "*.blog.example.com"},
		"longer wildcard, many labels":       {"x.y.blog.example.com", "*.blog.example.com"},
		"name of the longer wildcard itself": {"blog.example.com", "*.example.com"},
		"exact below a wildcard":             {"a.b.c.example.com", "a.b.c.example.com"},
		"below an exact name":                {"z.a.b.c.example.com", "*.example.com"},
		"wildcard of a top level":            {"app.localhost", "*.localhost"},
		"wildcard is not its own name":       {"localhost", "default"},
		"suffix that is no label":            {"badexample.com", "default"},
		"unknown":                            {"example.org", "default"},
		"Unicode":                            {"Bücher.Example", "bücher.example"},
		"punycode":                           {"xn--bcher-kva.example:80", "bücher.example"},
		"IPv4":                               {"127.0.0.1:8080", "127.0.0.1"},
		"unknown IPv4":                       {"10.0.0.1", "default"},
		"IPv6":                               {"[0:0::1]:8080", "[::1]"},
		"unknown IPv6":                       {"[::2]", "default"},
		"most labels":                        {strings.Repeat("a.", 126) + "a", "default"},
	}
	withDefault, without := newTable(t, "default", patterns...), newTable(t, "", patterns...)
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			host, err := Normalize(tt.host)
			if err != nil {
				t.Fatal(err)
			}
			if got, ok := withDefault.Lookup(host); !ok || got != tt.want {
				t.Errorf("with a default: got %q, %t; want %q", got, ok, tt.want)
			}
			want, found := tt.want, true
			if want == "default" {
				want, found = "", false
			}
			if got, ok := without.Lookup(host); ok != found || got != want {
				t.Errorf("without a default: got %q, %t; want %q, %t", got, ok, want, found)
			}
		})
	}
}

func TestWildcardOfManyLabels(t *testing.T) {
	suffix := strings.Repeat("a.", 125) + "a" // 126 labels
	table := newTable(t, "", "*."+suffix)
	if _, ok := table.Lookup("b." + suffix); !ok {
		t.Error("the longest wildcard there can be does not match")
	}
	// Not a canonical host, but it must not panic.
	if _, ok := table.Lookup(strings.Repeat("a.", 1000) + "a"); ok {
		t.Error("a name that is too long matches")
	}
}

func TestNewTableRefusesDuplicates(t *testing.T) {
	for _, pair := range [][2]string{
		{"example.com", "EXAMPLE.com."},
		{"bücher.example", "xn--bcher-kva.example"},
		{"*.example.com", "*.Example.com"},
		{"[::1]", "[0::1]"},
	} {
		a, _ := ParsePattern(pair[0])
		b, _ := ParsePattern(pair[1])
		_, err := NewTable([]Entry[int]{{a, 1}, {b, 2}}, nil)
		if want := fmt.Sprintf("host %q is claimed twice", a.String()); err == nil || err.Error() != want {
			t.Errorf("%q: got %v; want %s", pair, err, want)
		}
	}
	newTable(t, "", "example.com", "*.example.com") // both at once is no duplicate
}

func TestEmptyTable(t *testing.T) {
	var r Router[int]
	if v, ok := r.Lookup("example.com"); ok {
		t.Errorf("the zero router has %d", v)
	}
	if n := r.Table().Len(); n != 0 {
		t.Errorf("the zero router has %d patterns", n)
	}
	fallback := 7
	table, err := NewTable(nil, &fallback)
	if err != nil {
		t.Fatal(err)
	}
	if old := r.Swap(table); old != nil {
		t.Errorf("Swap returned %v", old)
	}
	if v, ok := r.Lookup("example.com"); !ok || v != 7 {
		t.Errorf("got %d, %t; want the default", v, ok)
	}
}

// TestSwap checks that hosts which change sides do so together.
func TestSwap(t *testing.T) {
	tables := [2]*Table[string]{newTable(t, "x", "a.example"), newTable(t, "y", "b.example")}
	var r Router[string]
	r.Swap(tables[0])
	var readers sync.WaitGroup
	stop := make(chan struct{})
	for range 4 {
		readers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				table := r.Table()
				a, _ := table.Lookup("a.example")
				b, _ := table.Lookup("b.example")
				if (a != "a.example" || b != "x") && (a != "y" || b != "b.example") {
					t.Errorf("one table answers %q and %q", a, b)
					return
				}
			}
		})
	}
	for i := range 10_000 {
		if old := r.Swap(tables[(i+1)%2]); old != tables[i%2] {
			t.Fatal("Swap did not return the table that was in force")
		}
	}
	close(stop)
	readers.Wait()
}

func TestLookupAllocations(t *testing.T) {
	table := newTable(t, "x", "example.com", "*.example.com", "*.a.b.example.com")
	for _, host := range []string{"example.com", "a.b.c.example.com", "example.org"} {
		if n := testing.AllocsPerRun(100, func() { table.Lookup(host) }); n != 0 {
			t.Errorf("Lookup(%q) allocates %v times", host, n)
		}
	}
}

// BenchmarkLookup asks tables of 10 and of 100,000 hosts for the same ten
// hosts, which shows the cost of the algorithm, and for all of their hosts at
// random, which in the big table adds what the processor waits for memory.
func BenchmarkLookup(b *testing.B) {
	for _, size := range []int{10, 100_000} {
		exact, hosts := make([]string, size), make([]string, size)
		wild, below := make([]string, size), make([]string, size)
		for i := range size {
			hosts[i] = fmt.Sprintf("app-%d.example.com", i)
			exact[i] = hosts[i]
			wild[i] = "*." + hosts[i]
			below[i] = "www.eu." + hosts[i]
		}
		for _, kind := range []struct {
			name            string
			patterns, hosts []string
		}{{"exact", exact, hosts}, {"wildcard", wild, below}} {
			table := newTable(b, "", kind.patterns...)
			for _, spread := range slices.Compact([]int{10, size}) {
				asked := make([]string, 4096)
				for i := range asked {
					asked[i] = strings.Clone(kind.hosts[rand.IntN(spread)])
				}
				name := fmt.Sprintf("%s/hosts=%d/asked=%d", kind.name, size, spread)
				b.Run(name, func(b *testing.B) {
					b.ReportAllocs()
					i := 0
					for b.Loop() {
						if _, ok := table.Lookup(asked[i%len(asked)]); !ok {
							b.Fatal("not found")
						}
						i++
					}
				})
			}
		}
	}
}

func BenchmarkNormalize(b *testing.B) {
	for name, host := range map[string]string{
		"plain": "app-17.example.com:8080", "capitals": "App-17.Example.COM", "Unicode": "bücher.example.com", "IPv6": "[2001:db8::1]:80",
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Normalize(host); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
