package assets

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A deploy may write into the folder, put another in its place, or turn a link.
func TestChanges(t *testing.T) {
	dir := t.TempDir()
	tree(t, dir, map[string]string{"v1/a.txt": "1", "v2/a.txt": "2", "public": "-> v1"})
	s, err := New(filepath.Join(dir, "public"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	get := func() string {
		w := httptest.NewRecorder()
		if !s.Serve(w, httptest.NewRequest("GET", "/a.txt", nil)) {
			return "none"
		}
		return w.Body.String()
	}
	steps := []struct {
		name string
		do   func() error
		want string
	}{
		{"first", func() error { return nil }, "1"},
		{"written", func() error { return os.WriteFile(filepath.Join(dir, "v1/a.txt"), []byte("1b"), 0o644) }, "1b"},
		{"link turned", func() error {
			return errors.Join(os.Symlink("v2", filepath.Join(dir, "new")), os.Rename(filepath.Join(dir, "new"), filepath.Join(dir, "public")))
		}, "2"},
		{"removed", func() error { return os.RemoveAll(filepath.Join(dir, "v2")) }, "none"},
		{"made again", func() error {
			tree(t, dir, map[string]string{"v2/a.txt": "3"})
			return nil
		}, "3"},
		{"closed", s.Close, "none"},
		{"closed twice", s.Close, "none"},
	}
	for _, step := range steps {
		if err := step.do(); err != nil {
			t.Fatal(err)
		}
		if got := get(); got != step.want {
			t.Errorf("%s: got %q, want %q", step.name, got, step.want)
		}
	}
}

// tick returns when the clock that files get their times from has moved on.
func tick(t *testing.T, dir string) {
	t.Helper()
	probe := func() (st unix.Stat_t) {
		path := filepath.Join(dir, "probe")
		if err := errors.Join(os.WriteFile(path, nil, 0o644), unix.Stat(path, &st), os.Remove(path)); err != nil {
			t.Fatal(err)
		}
		return st
	}
	first := probe()
	for deadline := time.Now().Add(time.Minute); probe().Ctim == first.Ctim; {
		if time.Now().After(deadline) {
			t.Fatal("the files' clock stands still")
		}
	}
}

// What is kept in memory is what a fresh server would send, whatever is done
// to the files. The folder is made to look as if nothing had changed lately.
func TestKept(t *testing.T) {
	dir := t.TempDir()
	public := filepath.Join(dir, "public")
	tree(t, dir, map[string]string{"public/a.js": "1", "public/b/c.js": "c", "public/page.html": "page", "secret.txt": "SECRET"})
	write := func(name, text string) func() error {
		return func() error { return os.WriteFile(filepath.Join(public, name), []byte(text), 0o644) }
	}
	steps := []struct {
		name, target, accept string
		do                   func() error
		want                 string
	}{
		{"first", "/a.js", "", nil, "1"},
		{"again", "/a.js", "", nil, "1"},
		{"another encoding", "/a.js", "br", nil, "1"},
		{"written in place", "/a.js", "", write("a.js", "2"), "2"},
		{"with br", "/a.js", "br", nil, "2"},
		{"br appears", "/a.js", "br", write("a.js.br", "BR"), "BR"},
		{"br stays", "/a.js", "br", nil, "BR"},
		{"without br", "/a.js", "gzip", nil, "2"},
		{"br is written", "/a.js", "br", write("a.js.br", "BR2"), "BR2"},
		{"br goes", "/a.js", "br", func() error { return os.Remove(filepath.Join(public, "a.js.br")) }, "2"},
		{"gz appears", "/a.js", "gzip", write("a.js.gz", "GZ"), "GZ"},
		{"gz is a link out", "/a.js", "gzip", func() error {
			return errors.Join(os.Remove(filepath.Join(public, "a.js.gz")), os.Symlink("../secret.txt", filepath.Join(public, "a.js.gz")))
		}, "2"},
		{"replaced by a link out", "/a.js", "", func() error {
			return errors.Join(os.Remove(filepath.Join(public, "a.js")), os.Symlink("../secret.txt", filepath.Join(public, "a.js")))
		}, "none"},
		{"and back", "/a.js", "", func() error { return errors.Join(os.Remove(filepath.Join(public, "a.js")), write("a.js", "3")()) }, "3"},
		{"deep", "/b/c.js", "", nil, "c"},
		{"its folder renamed", "/b/c.js", "", func() error { return os.Rename(filepath.Join(public, "b"), filepath.Join(public, "d")) }, "none"},
		{"its new name", "/d/c.js", "", nil, "c"},
		{"a name that was not there", "/new.txt", "", nil, "none"},
		{"and now is", "/new.txt", "", write("new.txt", "new"), "new"},
		{"by .html", "/page", "", nil, "page"},
		{"the name itself", "/page", "", write("page", "itself"), "itself"},
		{"hidden", "/a.js", "", func() error { return os.Remove(filepath.Join(public, "a.js")) }, "none"},
		{"folder replaced", "/other.txt", "", func() error {
			tree(t, dir, map[string]string{"next/other.txt": "other"})
			return errors.Join(os.RemoveAll(public), os.Rename(filepath.Join(dir, "next"), public))
		}, "other"},
		{"old file in it", "/d/c.js", "", nil, "none"},
	}
	for _, age := range []time.Duration{0, time.Hour} {
		if age > 0 {
			if err := os.RemoveAll(public); err != nil {
				t.Fatal(err)
			}
			tree(t, dir, map[string]string{"public/a.js": "1", "public/b/c.js": "c", "public/page.html": "page"})
		}
		s, err := New(public, Options{})
		if err != nil {
			t.Fatal(err)
		}
		s.now = func() time.Time { return time.Now().Add(age) }
		for _, step := range steps {
			if step.do != nil {
				tick(t, dir)
				if err := step.do(); err != nil {
					t.Fatal(err)
				}
			}
			for range 3 {
				r := httptest.NewRequest("GET", step.target, nil)
				r.Header.Set("Accept-Encoding", step.accept)
				w := httptest.NewRecorder()
				got := "none"
				if s.Serve(w, r) {
					got = w.Body.String()
				}
				if got != step.want {
					t.Errorf("age %v, %s: got %q, want %q", age, step.name, got, step.want)
				}
			}
		}
		if kept := len(s.cache.entries); (kept > 0) != (age > 0) {
			t.Errorf("age %v: %d files are kept", age, kept)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestKeptIsBounded(t *testing.T) {
	dir := t.TempDir()
	s, err := New(dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	s.now = func() time.Time { return time.Now().Add(time.Hour) }
	for i := range 60 {
		name := fmt.Sprintf("%d.bin", i)
		tree(t, dir, map[string]string{name: strings.Repeat("x", 30<<10)})
		if !s.Serve(httptest.NewRecorder(), httptest.NewRequest("GET", "/"+name, nil)) {
			t.Fatalf("%s is not served", name)
		}
	}
	sum := 0
	for k, a := range s.cache.entries {
		sum += a.cost(k)
	}
	if sum != s.cache.size || sum > maxCache || sum < maxCache/2 {
		t.Errorf("the cache holds %d bytes and says %d, of %d", sum, s.cache.size, maxCache)
	}
}

// While the folder is exchanged over and over, each request gets one of the versions.
func TestChangesUnderLoad(t *testing.T) {
	dir := t.TempDir()
	tree(t, dir, map[string]string{"v0/a.txt": "v0", "v1/a.txt": "v1", "public": "-> v0"})
	s, err := New(filepath.Join(dir, "public"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	ctx, stop := context.WithCancel(t.Context())
	var served atomic.Int64
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for ctx.Err() == nil {
				w := httptest.NewRecorder()
				if !s.Serve(w, httptest.NewRequest("GET", "/a.txt", nil)) || !strings.HasPrefix(w.Body.String(), "v") {
					t.Errorf("got %d %q", w.Code, w.Body)
					return
				}
				served.Add(1)
			}
		})
	}
	for i := range 500 {
		link := filepath.Join(dir, "new")
		if err := errors.Join(os.Symlink([]string{"v0", "v1"}[i%2], link), os.Rename(link, filepath.Join(dir, "public"))); err != nil {
			t.Fatal(err)
		}
	}
	stop()
	wg.Wait()
	if served.Load() == 0 {
		t.Error("nothing was served")
	}
}

// Where the kernel or a sandbox has no openat2, os.Root does the same.
func TestWithoutOpenat2(t *testing.T) {
	dir := t.TempDir()
	public := filepath.Join(dir, "public")
	tree(t, dir, map[string]string{
		"secret.txt": "SECRET", "public/a.txt": "a", "public/deep/er/b.txt": "b", "public/deep/in.txt": "-> ../a.txt",
		"public/out.txt": "-> ../secret.txt", "public/out": "-> ..", "public/docs/index.html": "docs",
	})
	if err := unix.Mkfifo(filepath.Join(public, "fifo"), 0o644); err != nil {
		t.Fatal(err)
	}
	s, err := New(public, Options{})
	if err != nil {
		t.Fatal(err)
	}
	root, err := openRoot(public)
	if err != nil {
		t.Fatal(err)
	}
	s.folder.Swap(root).close()
	before := openFiles(t)
	for target, want := range map[string]string{
		"/a.txt": "a", "/deep/er/b.txt": "b", "/deep/in.txt": "a", "/out.txt": "none", "/out/secret.txt": "none", "/fifo": "none",
		"/docs/": "docs", "/docs": "", "/deep": "none", "/missing": "none",
	} {
		w := httptest.NewRecorder()
		got := "none"
		if s.Serve(w, httptest.NewRequest("GET", target, nil)) {
			got = w.Body.String()
		}
		if got != want {
			t.Errorf("%s: got %q, want %q", target, got, want)
		}
	}
	if s.folder.Load() != root {
		t.Error("the folder was opened again")
	}
	if after := openFiles(t); after > before {
		t.Errorf("%d files are open, before there were %d", after, before)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}
