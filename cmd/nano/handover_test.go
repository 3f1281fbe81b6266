package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/nano-runtime/nano/admin"
	"github.com/nano-runtime/nano/internal/await"
)

// TestWritesDuringReloads changes apps while one generation follows the other: every
// write that was acknowledged is there at the end, whichever process took it.
func TestWritesDuringReloads(t *testing.T) {
	dir, err := os.MkdirTemp("", "nano") // the path of a socket may not be long
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	socket := filepath.Join(dir, "s")
	for name, text := range map[string]string{
		"nano.toml":    "[server]\nlisten = [\"127.0.0.1:0\"]\nadmin = \"" + socket + "\"\nwatch = false\n",
		"app/index.js": "export default { fetch: () => new Response(\"app\") }\n",
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	nano := filepath.Join(dir, "nano")
	if err := os.Symlink(executable(t), nano); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "state"), 0o700); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(nano, "serve", "-c", filepath.Join(dir, "nano.toml"))
	cmd.Env = append(os.Environ(), "STATE_DIRECTORY="+filepath.Join(dir, "state"), "NANO_SOCKET="+socket)
	log := new(await.Log)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stop(socket)
		_ = cmd.Wait() // the first generation, which has ended
		if t.Failed() {
			t.Logf("%s", log)
		}
	})
	client := admin.NewClient(socket)
	for end := time.Now().Add(await.Deadline); ; time.Sleep(10 * time.Millisecond) {
		if _, err := client.Status(t.Context()); err == nil {
			break
		} else if time.Now().After(end) {
			t.Fatal(err)
		}
	}

	const writers, writes, reloads = 4, 15, 5
	app := func(i, n int) []byte {
		return fmt.Appendf(nil, `{"name": "app%d", "hosts": ["app%d.test"], "root": %q, "env": {"N": %d}}`, i, i, filepath.Join(dir, "app"), n)
	}
	var all sync.WaitGroup
	for i := range writers {
		all.Go(func() {
			for n := range writes {
				if _, err := client.Put(t.Context(), fmt.Sprintf("app%d", i), app(i, n), ""); err != nil {
					t.Errorf("write %d of app%d: %v", n, i, err)
				}
			}
		})
	}
	pids := map[int]bool{cmd.Process.Pid: true}
	all.Go(func() {
		for range reloads {
			if _, err := client.Reload(t.Context()); err != nil {
				t.Errorf("reload: %v", err)
			}
			// The generation before may still take a connection or two.
			for end := time.Now().Add(await.Deadline); ; time.Sleep(10 * time.Millisecond) {
				s, err := client.Status(t.Context())
				if err == nil && !pids[s.PID] {
					pids[s.PID] = true
					break
				}
				if time.Now().After(end) {
					t.Errorf("no other generation answers: %v", err)
					return
				}
			}
		}
	})
	all.Wait()
	if len(pids) != reloads+1 {
		t.Errorf("%d generations, want %d", len(pids), reloads+1)
	}
	list, err := client.Apps(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(list.Apps) != writers {
		t.Errorf("%d apps", len(list.Apps))
	}
	for i := range writers {
		name := fmt.Sprintf("app%d", i)
		d, err := client.App(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		// The same again must be no change: what runs is the last write.
		again, err := client.Put(t.Context(), name, app(i, writes-1), d.ETag)
		if err != nil || again.Version != d.Version || d.Version != writes {
			t.Errorf("%s: version %d, then %d, want %d: %v", name, d.Version, again.Version, writes, err)
		}
	}
}
