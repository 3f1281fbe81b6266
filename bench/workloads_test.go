package main

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nano-runtime/nano/bench/native"
	"github.com/nano-runtime/nano/bench/stack"
)

// TestMain makes the test binary the server that the stack Go starts.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == serveVerb {
		if err := run(context.Background(), os.Args[1:]); err != nil {
			os.Stderr.WriteString(err.Error())
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// testLab is a lab that has nothing but Go.
func testLab(t *testing.T) *lab {
	t.Helper()
	dir := t.TempDir()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go native.Serve(t.Context(), "source", listener, native.Options{})
	assets := filepath.Join(dir, "public")
	module := filepath.Join(dir, "none.mjs")
	for path, data := range map[string][]byte{filepath.Join(assets, assetName): asset(), module: nil} {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	size := shortSize()
	size.count = 20
	modules := make(map[string]string)
	for name := range handlers() {
		modules[name] = module
	}
	return &lab{
		log: io.Discard, size: size, dir: dir, assets: assets, modules: modules,
		chosen: choice{kinds: map[stack.Kind]bool{stack.Go: true}},
		tools:  stack.Tools{Native: []string{self, serveVerb}, Upstream: "http://" + listener.Addr().String() + "/"},
	}
}

// What Go serves without JavaScript is right, so the checks of all workloads that
// it has are, too.
func TestWorkloadsOnGo(t *testing.T) {
	for _, w := range workloads() {
		if !native.Has(w.app) || w.apps != nil {
			continue
		}
		t.Run(w.name, func(t *testing.T) {
			l := testLab(t)
			if err := l.runWorkload(t.Context(), w); err != nil {
				t.Fatal(err)
			}
			for _, err := range l.failed {
				t.Error(err)
			}
			for _, row := range l.rows {
				if len(row.of(stack.Go, throughput)) == 0 {
					t.Errorf("nothing was measured of %q", row.title)
				}
			}
		})
	}
}

func TestChecksRefuse(t *testing.T) {
	for _, w := range workloads() {
		for _, body := range []string{"", "no", "{}", strings.Repeat("x", 20_000)} {
			if err := w.page.check([]byte(body)); err == nil {
				t.Errorf("%s takes %.20q for its answer", w.name, body)
			}
		}
	}
}

func TestRequestsAreHTTP(t *testing.T) {
	for _, w := range workloads() {
		for _, closes := range []bool{false, true} {
			raw := w.page.request("a.bench.test", closes)
			r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(raw)))
			if err != nil {
				t.Fatalf("%s: %v:\n%s", w.name, err, raw)
			}
			if r.Host != "a.bench.test" || r.URL.Path == "" || r.Close != closes || r.ContentLength != int64(len(w.page.body)) {
				t.Errorf("%s: the request is\n%s", w.name, raw)
			}
		}
	}
}

func TestChoose(t *testing.T) {
	c, err := choose("hello,nano,workerd-router")
	if err != nil {
		t.Fatal(err)
	}
	if !c.workload("hello") || c.workload("json") || !c.kind(stack.WorkerdRouter) || c.kind(stack.Deno) {
		t.Errorf("the choice is %v", c)
	}
	if c, err := choose(""); err != nil || !c.workload("json") || !c.kind(stack.Deno) {
		t.Errorf("no choice is %v, %v", c, err)
	}
	if _, err := choose("hallo"); err == nil {
		t.Error("no error for a name that there isn't")
	}
}

func TestExchangesEndWithTheirContext(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	cancel()
	l := testLab(t)
	if err := l.runWorkload(ctx, hello()); err == nil && len(l.failed) == 0 {
		t.Error("no error")
	}
}
