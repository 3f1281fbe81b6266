//go:build e2e

package e2e

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"
)

// twenty reloads and five upgrades under load lose nothing and leave nothing behind.
func TestReloadsAndUpgradesLoseNothing(t *testing.T) {
	eachSuite(t, func(t *testing.T, suite string) {
		m := boot(t, suite)
		m.installNano()
		m.curl("http://127.0.0.1/")
		load := m.startLoad("NANO is running")
		// The first generation has inherited nothing: what is compared has.
		m.run("systemctl reload nano")
		m.waitForOneProcess()
		before := m.usage()

		for range 20 {
			pid := m.property("nano.service", "MainPID")
			m.run("systemctl reload nano")
			if now := m.property("nano.service", "MainPID"); now == pid {
				t.Errorf("MainPID is still %s after a reload", now)
			}
			m.wantMainPID()
		}
		for i := range 5 {
			pid := m.property("nano.service", "MainPID")
			pack := []string{"next", "nano"}[i%2]
			out := m.run("dpkg -i /e2e/" + pack + ".deb 2>&1")
			if now := m.property("nano.service", "MainPID"); now == pid {
				t.Errorf("the upgrade left process %s serving:\n%s", pid, out)
			}
			m.wantMainPID()
			if exe := m.run("readlink /proc/$(systemctl show --value -p MainPID nano)/exe"); exe != "/usr/bin/nanod" {
				t.Errorf("after an upgrade %s runs", exe)
			}
		}
		m.waitForOneProcess()
		after := m.usage()
		seen := load.stop()

		if seen.Failed > 0 || seen.Requests < 1000 {
			t.Errorf("under load: %s", seen)
		}
		if restarts := m.property("nano.service", "NRestarts"); restarts != "0" {
			t.Errorf("NRestarts is %s", restarts)
		}
		if state := m.property("nano.service", "ActiveState"); state != "active" {
			t.Errorf("the service is %s", state)
		}
		t.Logf("before %s, after %s", before, after)
		if after.files > before.files+5 {
			t.Errorf("open files grew: %d, then %d", before.files, after.files)
		}
		if after.memory > before.memory+before.memory/4+16<<20 {
			t.Errorf("memory grew: %d, then %d", before.memory, after.memory)
		}
		if zombies := m.run("ps -eo stat,comm | grep '^Z' || true"); zombies != "" {
			t.Errorf("zombies are left:\n%s", zombies)
		}
	})
}

// usage is what the daemon holds of the machine.
type usage struct {
	memory int // resident bytes
	files  int // open file descriptors that aren't a client's
}

func (u usage) String() string { return fmt.Sprintf("%d KiB and %d files", u.memory>>10, u.files) }

func (m *machine) usage() usage {
	m.t.Helper()
	pid := m.property("nano.service", "MainPID")
	kib := m.run("awk '/^VmRSS/ {print $2}' /proc/" + pid + "/status")
	// The load's connections come and go: all that isn't a TCP socket is counted.
	files := m.run("ls -l /proc/" + pid + "/fd | wc -l")
	tcp := m.run("ss -Htnp state established | grep -c pid=" + pid + " || true")
	return usage{memory: atoi(m.t, kib) << 10, files: atoi(m.t, files) - atoi(m.t, tcp)}
}

func atoi(t *testing.T, text string) int {
	t.Helper()
	n, err := strconv.Atoi(strings.TrimSpace(text))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// waitForOneProcess waits until older generations have drained.
func (m *machine) waitForOneProcess() {
	m.t.Helper()
	eventually(m.t, time.Minute, func() string {
		if pids := strings.Fields(m.try("pgrep -x nanod").out); len(pids) != 1 {
			return fmt.Sprintf("there are %d processes", len(pids))
		}
		return ""
	})
}

// wantMainPID makes sure that systemd tracks the process that serves.
func (m *machine) wantMainPID() {
	m.t.Helper()
	pid := m.property("nano.service", "MainPID")
	newest := m.run("pgrep -n -x nanod")
	if pid != newest {
		m.t.Errorf("MainPID is %s, the newest generation %s", pid, newest)
	}
}

// A storm of reloads ends in one good generation.
func TestReloadStorm(t *testing.T) {
	eachSuite(t, func(t *testing.T, suite string) {
		m := boot(t, suite)
		m.installNano()
		m.curl("http://127.0.0.1/")
		load := m.startLoad("NANO is running")
		m.run("for i in $(seq 100); do systemctl kill --kill-who=main -s HUP nano; done")
		m.run("for i in 1 2 3 4 5 6 7 8; do nanod reload & done; wait; systemctl reload nano")
		m.waitForOneProcess()
		m.wantMainPID()
		if seen := load.stop(); seen.Failed > 0 {
			t.Errorf("under load: %s", seen)
		}
		if state := m.property("nano.service", "ActiveState") + " " + m.property("nano.service", "NRestarts"); state != "active 0" {
			t.Errorf("the service is %s", state)
		}
		if zombies := m.run("ps -eo stat,comm | grep '^Z' || true"); zombies != "" {
			t.Errorf("zombies are left:\n%s", zombies)
		}
	})
}

func TestBadConfigChangesNothing(t *testing.T) {
	eachSuite(t, func(t *testing.T, suite string) {
		m := boot(t, suite)
		m.installNano()
		m.curl("http://127.0.0.1/")
		pid := m.property("nano.service", "MainPID")

		m.write("/etc/nano/apps.d/broken.toml", "[apps.broken]\nhosts = [\"broken.example.com\"]\nrooot = \"/srv/broken\"\n")
		const where = "/etc/nano/apps.d/broken.toml:3:1:"
		wantContains(t, "nanod reload", m.fails("nanod reload"), where, "rooot")
		// systemctl prints nothing of what a service says, but where it is to be read.
		wantContains(t, "systemctl reload", m.fails("systemctl reload nano"), "systemctl status nano.service")
		wantContains(t, "systemctl status", m.try("systemctl --no-pager --full status nano").out, where, "rooot", "active (running)")
		wantContains(t, "the journal", m.run("journalctl --no-pager -o cat -u nano -p err"), where, "rooot")
		wantContains(t, "nanod check", m.fails("nanod check"), where)
		if now := m.property("nano.service", "MainPID"); now != pid {
			t.Errorf("MainPID was %s and is %s", pid, now)
		}
		wantContains(t, "the app", m.curl("http://127.0.0.1/"), "NANO is running")

		// The same in an upgrade, which says so and leaves the old one running.
		wantContains(t, "the upgrade", m.run("dpkg -i /e2e/next.deb 2>&1"), "still runs the version from before", where)
		wantContains(t, "the app", m.curl("http://127.0.0.1/"), "NANO is running")

		m.run("rm /etc/nano/apps.d/broken.toml && systemctl reload nano")
		if now := m.property("nano.service", "MainPID"); now == pid {
			t.Error("the mended configuration was not applied")
		}
		if text := m.property("nano.service", "StatusText"); strings.Contains(text, where) {
			t.Errorf("the status still says %q", text)
		}
	})
}

// A binary that can't run leaves the one that does in place.
func TestBadBinaryChangesNothing(t *testing.T) {
	broken := map[string]string{
		"exits":  "#!/bin/sh\necho 'cannot go on' >&2\nexit 1\n",
		"killed": "#!/bin/sh\nkill -9 $$\n",
	}
	eachSuite(t, func(t *testing.T, suite string) {
		m := boot(t, suite)
		m.installNano()
		m.curl("http://127.0.0.1/")
		pid := m.property("nano.service", "MainPID")
		load := m.startLoad("NANO is running")
		m.run("cp /usr/bin/nanod /usr/bin/nanod.good")
		for name, text := range broken {
			m.write("/usr/bin/nanod.bad", text)
			m.run("chmod 755 /usr/bin/nanod.bad && mv /usr/bin/nanod.bad /usr/bin/nanod")
			m.fails("/usr/bin/nanod.good reload")
			if now := m.property("nano.service", "MainPID"); now != pid {
				t.Errorf("%s: MainPID was %s and is %s", name, pid, now)
			}
			m.curl("http://127.0.0.1/")
		}
		m.run("mv /usr/bin/nanod.good /usr/bin/nanod && systemctl reload nano")
		if seen := load.stop(); seen.Failed > 0 {
			t.Errorf("under load: %s", seen)
		}
		m.wantMainPID()
	})
}

const waiter = `export default {
  async fetch(request) {
    const seconds = Number(new URL(request.url).pathname.slice(1));
    await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
    return new Response("waited");
  },
};
`

func (m *machine) addWaiter() {
	m.t.Helper()
	m.write("/srv/waiter/index.js", waiter)
	m.write("/etc/nano/apps.d/waiter.toml", "[apps.waiter]\nhosts = [\"waiter.localhost\"]\nroot = \"/srv/waiter\"\n")
}

// holdRequest begins a request that takes so long and waits until it is under way.
func (m *machine) holdRequest(seconds int) <-chan result {
	m.t.Helper()
	answer := make(chan result, 1)
	go func() {
		answer <- m.try(fmt.Sprintf("curl -sS --fail -H 'Host: waiter.localhost' http://127.0.0.1/%d", seconds))
	}()
	eventually(m.t, 20*time.Second, func() string {
		metrics := m.try("curl -sS --unix-socket /run/nano/admin.sock http://localhost/admin/metrics").out
		if !strings.Contains(metrics, "nano_app_requests_in_flight{app=\"waiter\"} 1\n") {
			return "the request is not under way"
		}
		return ""
	})
	return answer
}

// A stop comes to an end for every generation: what one has accepted, the one before
// included, is answered within the drain time-out.
func TestStopDrainsEveryGeneration(t *testing.T) {
	eachSuite(t, func(t *testing.T, suite string) {
		m := boot(t, suite)
		m.installNano()
		m.write("/etc/nano/nano.toml", "[server]\ndrain_timeout = \"8s\"\n")
		m.addWaiter()
		for _, test := range []struct {
			name    string
			seconds int
			after   string // done before the request
			then    string // and while it is under way
			want    int    // processes after that
			answers bool
		}{
			{"of the first", 4, "true", "true", 1, true},
			{"of a later one", 4, "systemctl reload nano", "true", 1, true},
			{"of an older one", 4, "true", "systemctl reload nano", 2, true},
			{"of an older one, which doesn't end", 300, "true", "systemctl reload nano", 2, false},
		} {
			m.curl("http://127.0.0.1/")
			m.run(test.after)
			m.waitForOneProcess()
			answer := m.holdRequest(test.seconds)
			m.run(test.then)
			if pids := strings.Fields(m.run("pgrep -x nanod")); len(pids) != test.want {
				t.Fatalf("%s: there are the processes %v", test.name, pids)
			}
			begun := time.Now()
			m.run("systemctl stop nano.service")
			took := time.Since(begun)
			m.fails("pgrep -x nanod")
			if took > 15*time.Second {
				t.Errorf("%s: the stop took %s", test.name, took)
			}
			got := <-answer
			if answered := got.code == 0 && got.out == "waited"; answered != test.answers {
				t.Errorf("%s: after %s curl exits with %d: %s", test.name, took, got.code, got.out)
			}
			if state := m.property("nano.service", "ActiveState") + " " + m.property("nano.service", "Result"); state != "inactive success" {
				t.Errorf("%s: the service is %s", test.name, state)
			}
		}
	})
}
