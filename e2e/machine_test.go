//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// machine is a booted container with a private network. It ends with its test.
type machine struct {
	t    *testing.T
	init int // the process id of its init, out here
}

const bootTimeout = time.Minute

// throwAway are the options of a container whose root is that directory, and what it
// writes there is kept in memory and forgotten at its end. Any number may share one.
func throwAway(root string) []string {
	return []string{
		"--quiet", "--directory=" + root, "--read-only", "--volatile=overlay",
		"--machine=nano-e2e-" + strconv.FormatInt(machines.Add(1), 10),
		"--register=no", "--keep-unit", "--console=pipe",
	}
}

// machines counts those that were started, for their names.
var machines atomic.Int64

// boot starts a throw-away copy of a distribution and waits until it is up.
func boot(t *testing.T, suite string) *machine {
	t.Helper()
	root, packages := rootOf(t, suite), packagesOf(t, suite)
	nspawn := exec.Command("systemd-nspawn", append(throwAway(root), "--boot", "--private-network",
		"--bind-ro="+the.shared+":/e2e", "--bind-ro="+packages+":/packages")...)
	nspawn.Env = append(os.Environ(), "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1")
	// Its own process group, so that Ctrl-C reaches the test alone, which then cleans up.
	nspawn.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	console := new(bytes.Buffer)
	nspawn.Stdout, nspawn.Stderr = console, console
	if err := nspawn.Start(); err != nil {
		t.Fatal(err)
	}
	exited := make(chan error, 1)
	go func() { exited <- nspawn.Wait() }()

	m := &machine{t: t}
	t.Cleanup(func() {
		if t.Failed() && m.init != 0 {
			t.Logf("the service's journal, without access lines:\n%s",
				m.try("journalctl --no-pager -o short-precise -u nano.service -u nano.socket | grep -v ': request$' | tail -n 50").out)
		}
		// Killing init and not nspawn lets nspawn clean up.
		if m.init != 0 {
			_ = syscall.Kill(m.init, syscall.SIGKILL)
		} else {
			_ = nspawn.Process.Signal(syscall.SIGTERM)
		}
		<-exited
	})
	deadline := time.Now().Add(bootTimeout)
	for {
		select {
		case err := <-exited:
			exited <- err
			t.Fatalf("cannot boot %s: %v\n%s", suite, err, console)
		case <-time.After(50 * time.Millisecond):
		}
		if m.init == 0 {
			m.init = descendant(nspawn.Process.Pid, "systemd")
			continue
		}
		state := m.try("systemctl is-system-running --wait")
		if state.code == 0 || strings.Contains(state.out, "degraded") {
			return m
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s is not up after %s: %s\n%s", suite, bootTimeout, state.out, console)
		}
	}
}

// descendant finds a process by its name among the children of another, and theirs.
func descendant(pid int, name string) int {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%[1]d/children", pid))
	if err != nil {
		return 0
	}
	for field := range strings.FieldsSeq(string(text)) {
		child, err := strconv.Atoi(field)
		if err != nil {
			return 0
		}
		comm, err := os.ReadFile("/proc/" + field + "/comm")
		if err == nil && strings.TrimSpace(string(comm)) == name {
			return child
		}
		if found := descendant(child, name); found != 0 {
			return found
		}
	}
	return 0
}

// result is what came of a command.
type result struct {
	code int
	out  string // both streams
}

// enter prepares a shell command inside, as root.
func (m *machine) enter(ctx context.Context, script string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "nsenter", "--target", strconv.Itoa(m.init),
		"--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup", "--root", "--wd=/",
		"env", "--chdir=/", "-i", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LANG=C.UTF-8",
		"DEBIAN_FRONTEND=noninteractive", "SYSTEMD_PAGER=", "SYSTEMD_COLORS=0",
		"sh", "-c", script)
	cmd.WaitDelay = 10 * time.Second
	return cmd
}

// try runs a shell command inside, as root.
func (m *machine) try(script string) result {
	m.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	out, err := m.enter(ctx, script).CombinedOutput()
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		return result{exit.ExitCode(), string(out)}
	case err != nil:
		m.t.Fatalf("cannot run %q inside: %v", script, err)
	}
	return result{0, string(out)}
}

// run is try for what must succeed; it returns the output without the last newline.
func (m *machine) run(script string) string {
	m.t.Helper()
	r := m.try(script)
	if r.code != 0 && m.try("journalctl --no-pager -q -n 5 -u nano.service | grep -q status=219/CGROUP").code == 0 {
		// Inside a container systemd sometimes can't make the cgroup anew right after a stop.
		r = m.try(script)
	}
	if r.code != 0 {
		m.t.Fatalf("%s\nexit %d: %s\n%s", script, r.code, r.out, m.try("systemctl --no-pager status nano.service nano.socket | tail -30").out)
	}
	return strings.TrimRight(r.out, "\n")
}

// fails is try for what must fail; it returns the output.
func (m *machine) fails(script string) string {
	m.t.Helper()
	r := m.try(script)
	if r.code == 0 {
		m.t.Fatalf("%s\nsucceeded: %s", script, r.out)
	}
	return r.out
}

// write makes a file inside, and the directories above it.
func (m *machine) write(path, text string) {
	m.t.Helper()
	outside := m.path(path)
	if err := os.MkdirAll(filepath.Dir(outside), 0o755); err != nil {
		m.t.Fatal(err)
	}
	if err := os.WriteFile(outside, []byte(text), 0o644); err != nil {
		m.t.Fatal(err)
	}
}

// path is the name out here of a file inside.
func (m *machine) path(path string) string {
	return filepath.Join("/proc", strconv.Itoa(m.init), "root", path)
}

// install installs packages of the distribution.
func (m *machine) install(packages ...string) {
	m.t.Helper()
	m.run("apt-get -q -y -o Dir::Cache::archives=/packages -o Debug::NoLocking=1 --no-download " +
		"--no-install-recommends install " + strings.Join(packages, " "))
}

// installNano installs the package under test.
func (m *machine) installNano() {
	m.t.Helper()
	m.run("apt-get -q -y --no-install-recommends install /e2e/nano.deb")
}

// property reads one of systemd's properties of a unit.
func (m *machine) property(unit, name string) string {
	m.t.Helper()
	return m.run("systemctl show --value -p " + name + " " + unit)
}

// curl asks the web port and returns the body; it fails on anything but 200.
func (m *machine) curl(arguments string) string {
	m.t.Helper()
	return m.run("curl -sS --fail --max-time 20 " + arguments)
}
