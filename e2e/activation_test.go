//go:build e2e

package e2e

import (
	"slices"
	"strings"
	"testing"
	"time"
)

func TestSocketActivation(t *testing.T) {
	eachSuite(t, func(t *testing.T, suite string) {
		m := boot(t, suite)
		m.installNano()
		m.fails("systemctl is-active nano.service")
		m.curl("http://127.0.0.1/")
		m.run("systemctl is-active nano.service")

		m.run("systemctl stop nano.service")
		m.fails("systemctl is-active nano.service")
		m.run("systemctl is-active nano.socket")
		m.curl("http://[::1]/")
		m.run("systemctl is-active nano.service")
		if sockets := m.run("ss -Hltn sport = :80 | wc -l"); sockets != "1" {
			t.Errorf("port 80 is open %s times", sockets)
		}

		// Whoever stops the socket means it.
		m.run("systemctl stop nano.socket")
		m.fails("systemctl is-active nano.service")
		m.fails("curl -sS --max-time 2 http://127.0.0.1/")
		m.run("systemctl start nano.service")
		m.curl("http://127.0.0.1/")
	})
}

// Other sockets by name, and none at all.
func TestSocketsByName(t *testing.T) {
	eachSuite(t, func(t *testing.T, suite string) {
		m := boot(t, suite)
		m.installNano()
		m.write("/etc/systemd/system/nano-more.socket", `[Socket]
ListenStream=127.0.0.1:8081
FileDescriptorName=http
Service=nano.service
`)
		m.write("/etc/systemd/system/nano-admin.socket", `[Socket]
ListenStream=/run/nano/admin.sock
SocketUser=root
SocketGroup=nano
SocketMode=0660
FileDescriptorName=admin
Service=nano.service
`)
		m.run("systemctl daemon-reload && systemctl start nano-more.socket nano-admin.socket")
		m.run("nanod status") // starts the service
		m.run("systemctl is-active nano.service")
		m.curl("http://127.0.0.1:8081/")
		m.curl("http://127.0.0.1/")
		m.run("systemctl reload nano")
		m.curl("http://127.0.0.1:8081/")
		m.run("nanod status")
		if owner := m.run("stat -c '%a %U:%G' /run/nano/admin.sock"); owner != "660 root:nano" {
			t.Errorf("the admin socket is %s", owner)
		}

		m.run("systemctl stop nano.socket nano-more.socket nano-admin.socket nano.service; systemctl mask nano.socket")
		m.run("systemctl start nano.service")
		m.curl("http://127.0.0.1:8080/")
		m.fails("curl -sS --max-time 2 http://127.0.0.1/")
		// Addresses of the configuration come and go with generations.
		m.write("/etc/nano/nano.toml", "[server]\nlisten = [\"127.0.0.1:8080\", \"unix:/run/nano/http.sock\"]\n")
		for range 2 {
			m.run("systemctl reload nano")
			m.curl("http://127.0.0.1:8080/")
			m.curl("--unix-socket /run/nano/http.sock http://localhost/")
		}
	})
}

func TestKilledUnderLoad(t *testing.T) {
	eachSuite(t, func(t *testing.T, suite string) {
		m := boot(t, suite)
		m.installNano()
		m.curl("http://127.0.0.1/")
		var gaps []time.Duration
		for i := range 4 {
			if i%2 == 1 {
				// After a reload systemd isn't its parent.
				m.run("systemctl reload nano")
				m.waitForOneProcess()
			}
			load := m.startLoad("NANO is running")
			m.kill()
			gaps = append(gaps, m.wantNoneRefused(load.stop()))
		}
		// A second at the most, where the machine has nothing else to do.
		slices.Sort(gaps)
		if gaps[1] > time.Second || gaps[3] > 5*time.Second {
			t.Errorf("after a kill no request was answered for %v", gaps)
		}
	})
}

// A generation that still drains doesn't hold up the start of another.
func TestKilledWhileOlderOneDrains(t *testing.T) {
	eachSuite(t, func(t *testing.T, suite string) {
		m := boot(t, suite)
		m.installNano()
		m.addWaiter()
		m.curl("http://127.0.0.1/")
		load := m.startLoad("NANO is running")
		for range 2 {
			m.holdRequest(300)
			m.run("systemctl reload nano")
			m.kill()
		}
		if gap := m.wantNoneRefused(load.stop()); gap > 5*time.Second {
			t.Errorf("no request was answered for %s", gap)
		}
	})
}

// kill ends the daemon as a crash would, and waits for the next.
func (m *machine) kill() {
	m.t.Helper()
	before := m.property("nano.service", "MainPID")
	m.run("kill -9 " + before)
	m.waitForOther("nano.service", before)
	m.curl("http://127.0.0.1/")
}

// wantNoneRefused makes sure that crashes cost no more than what was under way, and
// returns the time for which no request was answered.
func (m *machine) wantNoneRefused(seen tally) time.Duration {
	m.t.Helper()
	for why, count := range seen.Reasons {
		if why != "reset" && why != "cut off" {
			m.t.Errorf("%d requests: %s", count, why)
		}
	}
	return seen.LongestGap
}

// waitForOther waits until a unit runs under another main process than before.
func (m *machine) waitForOther(unit, before string) {
	m.t.Helper()
	eventually(m.t, time.Minute, func() string {
		if pid := m.property(unit, "MainPID"); pid == before || pid == "0" {
			return "the main process of " + unit + " is " + pid
		}
		if state := m.property(unit, "ActiveState"); state != "active" {
			return unit + " is " + state
		}
		return ""
	})
}

// A binary that dies at every start keeps port 80 open for the one that follows.
func TestCrashLoopKeepsThePort(t *testing.T) {
	eachSuite(t, func(t *testing.T, suite string) {
		m := boot(t, suite)
		m.installNano()
		m.run("mv /usr/bin/nanod /usr/bin/nanod.good")
		m.write("/usr/bin/nanod", "#!/bin/sh\necho started >> /run/nano/starts\nexit 1\n")
		m.run("chmod 755 /usr/bin/nanod")

		patient := make(chan result, 1)
		go func() { patient <- m.try("curl -sS --fail --max-time 120 http://127.0.0.1/") }()
		eventually(t, 2*time.Minute, func() string {
			if starts := strings.Count(m.try("cat /run/nano/starts").out, "started"); starts < 20 {
				return "it has crashed too seldom"
			}
			return ""
		})
		m.run("systemctl is-active nano.socket")
		// Connecting works all the while; an answer has to wait.
		wantContains(t, "curl", m.fails("curl -sS --max-time 1 http://127.0.0.1/"), "timed out")

		m.run("mv /usr/bin/nanod.good /usr/bin/nanod")
		if got := <-patient; got.code != 0 {
			t.Errorf("the client that had waited through it all got: %s", got.out)
		}
		m.curl("http://127.0.0.1/")
	})
}

// A frozen daemon is found out by the watchdog and replaced.
func TestWatchdog(t *testing.T) {
	eachSuite(t, func(t *testing.T, suite string) {
		m := boot(t, suite)
		m.installNano()
		m.curl("http://127.0.0.1/")
		if usec := m.property("nano.service", "WatchdogUSec"); usec != "30s" {
			t.Errorf("WatchdogUSec is %s", usec)
		}
		m.write("/etc/systemd/system/nano.service.d/soon.conf", "[Service]\nWatchdogSec=2s\n")
		m.run("systemctl daemon-reload && systemctl restart nano.service")
		before := m.property("nano.service", "MainPID")
		m.run("kill -STOP " + before)
		m.waitForOther("nano.service", before)
		m.curl("http://127.0.0.1/")
		wantContains(t, "the journal", m.run("journalctl --no-pager -o cat _PID=1"), "watchdog")

		// Alive and well, it is left alone, reloads included.
		before = m.property("nano.service", "NRestarts")
		m.run("systemctl reload nano; sleep 5; systemctl reload nano; sleep 3")
		if after := m.property("nano.service", "NRestarts"); after != before {
			t.Errorf("the watchdog restarted a healthy daemon: NRestarts %s, then %s", before, after)
		}
	})
}
