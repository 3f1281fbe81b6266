package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/nano-runtime/nano/admin"
	"github.com/nano-runtime/nano/internal/await"
)

// TestBundlers has a daemon bundle an app that never gets there: another is loaded all
// the same, and when the daemon is killed its bundlers end.
func TestBundlers(t *testing.T) {
	dir := t.TempDir()
	socket := filepath.Join(dir, "admin.sock")
	app := "export default { fetch: () => new Response(\"app\") }\n"
	for name, text := range map[string]string{
		"nano.toml":      "[server]\nlisten = [\"127.0.0.1:0\"]\nadmin = \"" + socket + "\"\n[apps.stuck]\nhosts = [\"stuck.test\"]\nroot = \"stuck\"\n",
		"stuck/index.js": app,
		"good/index.js":  app,
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := syscall.Mkfifo(filepath.Join(dir, "stuck/.pnp.cjs"), 0o644); err != nil {
		t.Fatal(err)
	}
	// What runs is what bundles, even where nothing has its name any more.
	nano := filepath.Join(dir, "nano")
	if err := os.Symlink(executable(t), nano); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(nano, "serve", "-c", filepath.Join(dir, "nano.toml"))
	cmd.Env = append(os.Environ(), "STATE_DIRECTORY="+filepath.Join(dir, "state"), "NANO_SOCKET="+socket)
	log := new(await.Log)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = cmd.Process.Kill() // it may have been
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("%s", log)
		}
	}()
	var stuck []string
	await.That(t, "a bundler waits for the FIFO", func() bool {
		stuck = children(t, cmd.Process.Pid)
		return len(stuck) == 1
	})
	if err := os.Remove(nano); err != nil {
		t.Fatal(err)
	}
	client := admin.NewClient(socket)
	await.That(t, "the daemon answers", func() bool {
		_, err := client.Status(t.Context())
		return err == nil
	})
	if _, err := client.Put(t.Context(), "good", fmt.Appendf(nil, `{"name": "good", "hosts": ["good.test"], "root": %q}`, filepath.Join(dir, "good")), ""); err != nil {
		t.Error(err)
	}
	if got := children(t, cmd.Process.Pid); len(got) != 1 || got[0] != stuck[0] {
		t.Errorf("the bundlers are now %v, and were %v", got, stuck)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	await.That(t, "the bundler has ended", func() bool {
		_, err := os.Stat(stuck[0])
		return err != nil || strings.Contains(field(stuck[0], "State"), "Z")
	})
}

// children are the bundlers of a process, by their folders in /proc.
func children(t *testing.T, pid int) (dirs []string) {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range files {
		line, err := os.ReadFile(path)
		dir := filepath.Dir(path)
		if err == nil && strings.HasSuffix(string(line), "\x00"+bundleVerb+"\x00") && field(dir, "PPid") == fmt.Sprint(pid) {
			dirs = append(dirs, dir)
		}
	}
	return dirs
}

// field is a line of a process's status.
func field(dir, name string) string {
	text, err := os.ReadFile(filepath.Join(dir, "status"))
	if err != nil {
		return ""
	}
	_, rest, _ := strings.Cut(string(text), "\n"+name+":")
	value, _, _ := strings.Cut(rest, "\n")
	return strings.TrimSpace(value)
}
