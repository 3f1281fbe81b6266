package stack

import (
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nano-runtime/nano/config"
)

// testTools have a program that the stack Go starts: a shell that starts the test
// binary as its child, so that there is a tree.
func testTools(t *testing.T) Tools {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return Tools{Native: []string{"/bin/sh", "-c", `"$0" serve "$@" & wait`, self}}
}

// TestMain makes the test binary a server: serve APP PORT ASSETS UPSTREAM.
func TestMain(m *testing.M) {
	if len(os.Args) > 3 && os.Args[1] == "serve" {
		if os.Args[2] == "broken" {
			os.Stderr.WriteString("this app is broken")
			os.Exit(3)
		}
		http.ListenAndServe("127.0.0.1:"+os.Args[3], http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			io.WriteString(w, r.Host+r.URL.Path)
		}))
		return
	}
	os.Exit(m.Run())
}

func TestStartAndStop(t *testing.T) {
	s, err := Go.Start(t.Context(), testTools(t), Spec{Dir: t.TempDir(), Apps: []App{{Name: "hello", Host: "hello.test"}}})
	if err != nil {
		t.Fatal(err)
	}
	response, err := s.Get(t.Context(), "hello.test", "/path")
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(response.Body)
	if string(body) != "hello.test/path" {
		t.Errorf("the answer is %q", body)
	}
	u, err := s.Usage()
	if err != nil {
		t.Fatal(err)
	}
	if u.Processes != 2 || u.CPU <= 0 || u.PSS <= 0 || u.RSS < u.PSS || u.Private <= 0 || u.Alone < u.PSS || u.Alone > u.RSS {
		t.Errorf("the usage is %+v; want that of the shell and its child", u)
	}
	if cpu, err := s.CPU(); err != nil || cpu < u.CPU {
		t.Errorf("the processor time is %v, %v; it was %v before", cpu, err, u.CPU)
	}
	if !s.Alive() || s.Booted <= 0 {
		t.Errorf("alive %v, booted in %v", s.Alive(), s.Booted)
	}
	pids, err := s.pids()
	if err != nil {
		t.Fatal(err)
	}
	s.Stop()
	if s.Alive() {
		t.Error("the stack is alive after Stop")
	}
	for _, pid := range pids {
		if err := syscall.Kill(pid, 0); !errors.Is(err, syscall.ESRCH) {
			t.Errorf("process %d is there after Stop: %v", pid, err)
		}
	}
}

func TestStartTellsWhatWasLogged(t *testing.T) {
	began := time.Now()
	_, err := Go.Start(t.Context(), testTools(t), Spec{Dir: t.TempDir(), Apps: []App{{Name: "broken", Host: "broken.test"}}})
	if err == nil || !strings.Contains(err.Error(), "this app is broken") {
		t.Errorf("the error is %v; want the log in it", err)
	}
	if took := time.Since(began); took > startTime/2 {
		t.Errorf("it took %v to see that the process has ended", took)
	}
}

func TestOneAppIsNotMany(t *testing.T) {
	apps := []App{{Name: "a", Host: "a.test"}, {Name: "b", Host: "b.test"}}
	for _, k := range Kinds() {
		if k.Routes() {
			continue
		}
		if _, err := k.Start(t.Context(), testTools(t), Spec{Dir: t.TempDir(), Apps: apps}); err == nil {
			t.Errorf("%s takes two apps", k)
		}
	}
}

func TestMissing(t *testing.T) {
	if m := CaddyDeno.Missing(Tools{Deno: "/deno"}); !strings.Contains(m, "apt install caddy") || strings.Contains(m, "deno") {
		t.Errorf("missing is %q", m)
	}
	if m := Go.Missing(Tools{}); m != "" {
		t.Errorf("missing is %q for a stack that needs nothing", m)
	}
}

func TestSlugsAreApart(t *testing.T) {
	var slugs []string
	for _, k := range Kinds() {
		slugs = append(slugs, k.Slug())
	}
	slices.Sort(slugs)
	if len(slices.Compact(slugs)) != len(Kinds()) {
		t.Errorf("two kinds share a slug: %v", slugs)
	}
}

// specOf is a spec of two apps, one with assets.
func specOf(t *testing.T) Spec {
	t.Helper()
	dir := t.TempDir()
	spec := Spec{Dir: filepath.Join(dir, "run")}
	for _, name := range []string{"one", "two"} {
		app := App{Name: name, Host: name + ".bench.test", Module: filepath.Join(dir, name, "index.mjs")}
		if name == "two" {
			app.Assets = filepath.Join(dir, name, "public")
		}
		for _, folder := range []string{spec.Dir, filepath.Dir(app.Module), app.Assets} {
			if folder == "" {
				continue
			}
			if err := os.MkdirAll(folder, 0o755); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.WriteFile(app.Module, []byte("export default { fetch() {} }"), 0o644); err != nil {
			t.Fatal(err)
		}
		spec.Apps = append(spec.Apps, app)
	}
	return spec
}

func TestNanoConfigurationIsValid(t *testing.T) {
	spec := specOf(t)
	spec.Nano = "idle = \"1s\"\n"
	s := &Stack{Addr: loopback(8080)}
	if _, err := nanoCommands(Tools{Nano: "nano"}, spec, s); err != nil {
		t.Fatal(err)
	}
	cfg, err := config.Load(config.Options{Path: filepath.Join(spec.Dir, "nano.toml")})
	if err != nil {
		t.Fatal(err)
	}
	if len(cfg.Apps) != 2 || cfg.Apps[1].Assets != spec.Apps[1].Assets || cfg.Apps[0].Idle != time.Second || cfg.Server.Admin != s.Admin {
		t.Errorf("the configuration is %+v", cfg)
	}
}
