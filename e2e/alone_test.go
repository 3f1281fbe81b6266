//go:build e2e

package e2e

import (
	"context"
	"os/exec"
	"path/filepath"
	"strings"
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
				arguments := append([]string{
					"--quiet", "--directory=" + rootOf(t, suite), "--ephemeral", "--register=no", "--keep-unit", "--private-network",
					"--console=pipe", "--kill-signal=SIGTERM", "--tmpfs=/run/nano:mode=0777", "--tmpfs=/var/lib/nano:mode=0777",
					"--bind-ro=" + unpacked + "/usr/bin/nanod:/usr/bin/nanod", "--bind-ro=" + unpacked + "/etc/nano:/etc/nano",
					"--bind-ro=" + unpacked + "/usr/share/nano-runtime:/usr/share/nano-runtime",
				}, options...)
				nspawn := exec.CommandContext(ctx, "systemd-nspawn", append(arguments, "/usr/bin/nanod", "serve")...)
				var out strings.Builder
				nspawn.Stdout, nspawn.Stderr = &out, &out
				if err := nspawn.Start(); err != nil {
					t.Fatal(err)
				}
				var inside string // the network of the process
				eventually(t, 30*time.Second, func() string {
					pid, err := exec.Command("pgrep", "--newest", "--full", "^/usr/bin/nanod serve$").Output()
					if err != nil {
						return "it does not run"
					}
					inside = strings.TrimSpace(string(pid))
					got, err := exec.Command("nsenter", "--target", inside, "--net", "curl", "-sS", "--max-time", "5", "http://127.0.0.1:8080/").CombinedOutput()
					if err != nil || !strings.Contains(string(got), "NANO is running") {
						return string(got)
					}
					return ""
				})
				command(t, "kill", "-TERM", inside)
				if err := nspawn.Wait(); err != nil {
					t.Errorf("after SIGTERM: %v\n%s", err, &out)
				}
			})
		}
	})
}
