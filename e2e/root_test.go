//go:build e2e

package e2e

import (
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// inRoot are the packages of every machine beside the essential ones.
var inRoot = []string{
	"systemd", "systemd-sysv", "dbus", "curl", "ca-certificates", "iproute2", "procps", "libnss-systemd",
}

// atHand are packages that a test may install in a machine, which has no network.
var atHand = []string{
	"nano", "rpm", "nginx-light", "haproxy", "caddy", "rpmlint",
	"man-db", "bash-completion", "zsh", "fish",
}

// rootOf returns the directory of a distribution's freshly made root, which machines
// are copies of. It takes a minute or two the first time.
func rootOf(t *testing.T, suite string) string {
	t.Helper()
	root := filepath.Join(the.cache, suite+"-"+fingerprint(inRoot))
	if _, err := os.Stat(root); err == nil {
		return root
	}
	t.Logf("making a %s in %s", suite, root)
	unfinished := filepath.Join(the.cache, ".#"+suite)
	command(t, "debootstrap", "--variant=minbase", "--include="+strings.Join(inRoot, ","), suite, unfinished)
	command(t, "chroot", unfinished, "apt-get", "clean")
	// The tests' network is the loopback device.
	if err := os.WriteFile(filepath.Join(unfinished, "etc/hosts"), []byte("127.0.0.1 localhost\n::1 localhost\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(unfinished, root); err != nil {
		t.Fatal(err)
	}
	return root
}

// packagesOf returns a directory with the packages of atHand and of what they need.
func packagesOf(t *testing.T, suite string) string {
	t.Helper()
	dir := filepath.Join(the.cache, suite+"-packages-"+fingerprint(append(inRoot, atHand...)))
	if _, err := os.Stat(dir); err == nil {
		return dir
	}
	root := rootOf(t, suite)
	t.Logf("fetching packages of %s into %s", suite, dir)
	unfinished := filepath.Join(the.cache, ".#"+suite+"-packages")
	if err := os.MkdirAll(unfinished+"/partial", 0o755); err != nil {
		t.Fatal(err)
	}
	arguments := append(throwAway(root), "--as-pid2", "--bind="+unfinished+":/packages",
		"apt-get", "-q", "-y", "-o", "Dir::Cache::archives=/packages", "-o", "APT::Sandbox::User=root",
		"install", "--download-only", "--no-install-recommends")
	command(t, "systemd-nspawn", append(arguments, atHand...)...)
	if err := os.Rename(unfinished, dir); err != nil {
		t.Fatal(err)
	}
	return dir
}

// fingerprint tells lists of packages apart in the names of what was made from them.
func fingerprint(packages []string) string {
	return fmt.Sprintf("%x", sha256.Sum256([]byte(strings.Join(packages, " "))))[:8]
}

// command runs a program on this machine, the one that runs the tests.
func command(t *testing.T, name string, arguments ...string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), name, arguments...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(arguments, " "), err, out)
	}
	return string(out)
}
