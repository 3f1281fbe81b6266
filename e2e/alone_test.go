//go:build e2e

package e2e

import (
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Without systemd the same binary serves in the foreground, as a container's first
// process too, and drains on SIGTERM.
func TestWithoutSystemd(t *testing.T) {
	unpacked := t.TempDir()
	command(t, "dpkg-deb", "--extract", filepath.Join(the.shared, "nano.deb"), unpacked)
	eachSuite(t, func(t *testing.T, suite string) {
		for name, options := range map[string][]string{
			"as process 1":    nil,
			"as process 2":    {"--as-pid2"},
			"as another user": {"--user=daemon"},
		} {
			t.Run(name, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				arguments := append(throwAway(rootOf(t, suite)),
					"--private-network", "--kill-signal=SIGTERM", "--tmpfs=/run/nano:mode=0777", "--tmpfs=/var/lib/nano:mode=0777",
					"--bind-ro="+unpacked+"/usr/bin/nanod:/usr/bin/nanod", "--bind-ro="+unpacked+"/etc/nano:/etc/nano",
					"--bind-ro="+unpacked+"/usr/share/nano-runtime:/usr/share/nano-runtime")
				arguments = append(append(arguments, options...), "/usr/bin/nanod", "serve")
				nspawn := exec.CommandContext(ctx, "systemd-nspawn", arguments...)
				var out strings.Builder
				nspawn.Stdout, nspawn.Stderr = &out, &out
				if err := nspawn.Start(); err != nil {
					t.Fatal(err)
				}
				var daemon int
				eventually(t, 30*time.Second, func() string {
					if daemon = descendant(nspawn.Process.Pid, "nanod"); daemon == 0 {
						return "it does not run"
					}
					got, err := exec.Command("nsenter", "--target", strconv.Itoa(daemon), "--net", "curl", "-sS", "--max-time", "5", "http://127.0.0.1:8080/").CombinedOutput()
					if err != nil || !strings.Contains(string(got), "NANO is running") {
						return string(got)
					}
					return ""
				})
				if err := syscall.Kill(daemon, syscall.SIGTERM); err != nil {
					t.Fatal(err)
				}
				if err := nspawn.Wait(); err != nil {
					t.Errorf("after SIGTERM: %v\n%s", err, &out)
				}
			})
		}
	})
}

// The package of the other architecture holds a program that serves there: here in an
// emulator, whose speed leaves it one request.
func TestForeignArchitectureServes(t *testing.T) {
	unpacked := t.TempDir()
	command(t, "dpkg-deb", "--extract", filepath.Join(the.shared, "foreign.deb"), unpacked)
	command(t, "lintian", "--allow-root", "--fail-on", "error", filepath.Join(the.shared, "foreign.deb"))
	emulator, libraries := "qemu-aarch64", "/usr/aarch64-linux-gnu"
	if runtime.GOARCH == "arm64" {
		emulator, libraries = "qemu-x86_64", "/usr/x86_64-linux-gnu"
	}
	port := freePort(t)
	// A daemon bundles in processes of its own, which an emulated one can't start.
	serve := exec.CommandContext(t.Context(), emulator, "-L", libraries, unpacked+"/usr/bin/nanod",
		"run", "--listen", "127.0.0.1:"+port, unpacked+"/usr/share/nano-runtime/welcome")
	// The emulator takes a signal for an hour's work, and Go sends itself many.
	serve.Env = append(os.Environ(), "GODEBUG=asyncpreemptoff=1")
	var out strings.Builder
	serve.Stdout, serve.Stderr = &out, &out
	if err := serve.Start(); err != nil {
		t.Fatal(err)
	}
	exited := make(chan error, 1)
	go func() { exited <- serve.Wait() }()
	t.Cleanup(func() { _ = serve.Process.Kill() })
	eventually(t, 5*time.Minute, func() string {
		select {
		case err := <-exited:
			t.Fatalf("it ended: %v\n%s", err, &out)
		default:
		}
		got, err := exec.Command("curl", "-sS", "--max-time", "120", "http://127.0.0.1:"+port+"/").CombinedOutput()
		if err != nil || !strings.Contains(string(got), "NANO is running") {
			return string(got)
		}
		return ""
	})
}

// freePort finds a port of the loopback device that nobody listens on.
func freePort(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	_, port, err := net.SplitHostPort(ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}
