//go:build e2e

package e2e

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// suites are the distributions that everything is tried on, with the systemd that
// each has.
var suites = []struct{ name, systemd string }{
	{"bookworm", "252"},
	{"trixie", "257"},
}

// bench is what all tests share, made once before the first.
type bench struct {
	cache  string // roots and packages of the distributions, kept between runs
	shared string // is /e2e in every machine
}

// The packages under test, of the machine's architecture: the version under test, and
// another one to go to and come back from.
var (
	debFlag     = flag.String("deb", "", "the Debian package under test")
	nextDebFlag = flag.String("next-deb", "", "the same of another version")
	rpmFlag     = flag.String("rpm", "", "the RPM package under test")
	nextRPMFlag = flag.String("next-rpm", "", "the same of another version")
	foreignFlag = flag.String("foreign-deb", "", "the Debian package of the other architecture")
)

var the bench

func TestMain(m *testing.M) {
	flag.Parse()
	code, err := run(m)
	if err != nil {
		fmt.Fprintf(os.Stderr, "error: %v\n", err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M) (int, error) {
	if os.Getuid() != 0 {
		return 0, fmt.Errorf("the end-to-end tests boot containers: run them as root")
	}
	for _, tool := range []string{"debootstrap", "systemd-nspawn", "nsenter", "lintian"} {
		if _, err := exec.LookPath(tool); err != nil {
			return 0, fmt.Errorf("cannot find %s: run e2e/install-deps.sh", tool)
		}
	}
	the.cache = os.Getenv("NANO_E2E_CACHE")
	if the.cache == "" {
		the.cache = "/var/cache/nano-e2e"
	}
	if err := os.MkdirAll(the.cache, 0o755); err != nil {
		return 0, err
	}
	unlock, err := lockCache(the.cache)
	if err != nil {
		return 0, err
	}
	defer unlock()
	the.shared, err = os.MkdirTemp("", "nano-e2e-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(the.shared)
	if err := fillShared(the.shared); err != nil {
		return 0, err
	}
	return m.Run(), nil
}

// lockCache keeps a second run out, and removes what one that was killed left behind.
func lockCache(dir string) (func(), error) {
	lock, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, fmt.Errorf("another run of the end-to-end tests uses %s", dir)
	}
	left, err := filepath.Glob(filepath.Join(dir, ".#*"))
	if err != nil {
		return nil, err
	}
	for _, path := range left {
		if err := os.RemoveAll(path); err != nil {
			return nil, err
		}
	}
	return func() { _ = lock.Close() }, nil
}

// fillShared puts what machines need into dir, which they see as /e2e: the packages by
// fixed names, and the helper that runs inside.
func fillShared(dir string) error {
	if err := os.Chmod(dir, 0o755); err != nil {
		return err
	}
	for name, from := range map[string]string{
		"nano.deb": *debFlag, "next.deb": *nextDebFlag, "nano.rpm": *rpmFlag, "next.rpm": *nextRPMFlag,
		"foreign.deb": *foreignFlag,
	} {
		if from == "" {
			return fmt.Errorf("no packages to test: run `make e2e`, which makes them")
		}
		text, err := os.ReadFile(from)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o644); err != nil {
			return err
		}
	}
	if err := os.CopyFS(filepath.Join(dir, "contrib"), os.DirFS("../contrib")); err != nil {
		return err
	}
	build := exec.Command("go", "build", "-o", filepath.Join(dir, "inside"), "./inside")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("cannot build the helper that runs inside: %w\n%s", err, out)
	}
	return nil
}

// eachSuite runs a test on every distribution, side by side: much of it is waiting.
func eachSuite(t *testing.T, test func(t *testing.T, suite string)) {
	for _, s := range suites {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			test(t, s.name)
		})
	}
}

// eventually waits until try returns "", and fails with what it returned last.
func eventually(t *testing.T, within time.Duration, try func() string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		wrong := try()
		if wrong == "" {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("after %s still: %s", within, wrong)
		case <-tick.C:
		}
	}
}

// wantContains fails unless text has every one of the wanted parts.
func wantContains(t *testing.T, what, text string, wanted ...string) {
	t.Helper()
	for _, want := range wanted {
		if !strings.Contains(text, want) {
			t.Errorf("%s has no %q:\n%s", what, want, text)
		}
	}
}
