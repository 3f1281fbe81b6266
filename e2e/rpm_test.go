//go:build e2e

package e2e

import (
	"strings"
	"testing"
)

// rpmInstall has no dependencies to look up: the machine is a Debian.
const rpmInstall = "rpm --install --nodeps "

func bootWithRPM(t *testing.T, suite string) *machine {
	t.Helper()
	m := boot(t, suite)
	m.install("rpm")
	m.run("rpm --initdb")
	return m
}

// The same life as the Debian package's, by rpm's rules: presets enable, nothing is
// started unasked, a removal leaves the state.
func TestRPM(t *testing.T) {
	eachSuite(t, func(t *testing.T, suite string) {
		m := bootWithRPM(t, suite)
		m.write("/etc/systemd/system-preset/10-mine.preset", "enable nano.socket\n")
		m.run(rpmInstall + "/e2e/nano.rpm")
		m.run("id nano; nanod version; systemctl is-enabled nano.socket")
		m.fails("systemctl is-active nano.socket")
		m.wantOurs()
		m.run("systemctl start nano.socket")
		wantContains(t, "the greeting", m.curl("http://127.0.0.1/"), "NANO is running")

		m.run("echo '# mine' >> /etc/nano/nano.toml; rm /etc/nano/apps.d/welcome.toml; systemctl reload nano")
		m.tenant("acme")
		m.curl("--unix-socket /run/nano-tenants/acme.sock http://localhost/")
		pid := m.property("nano.service", "MainPID")
		m.run("rpm --upgrade --nodeps /e2e/next.rpm")
		if now := m.property("nano.service", "MainPID"); now == pid || now == "0" {
			t.Errorf("the upgrade left process %s, was %s", now, pid)
		}
		if restarts := m.property("nano.service", "NRestarts"); restarts != "0" {
			t.Errorf("NRestarts is %s", restarts)
		}
		m.run("grep -q '# mine' /etc/nano/nano.toml")
		for line := range strings.Lines(m.run("rpm --verify --nodeps nano-runtime || true")) {
			if !strings.Contains(line, " c /etc/nano/") {
				t.Errorf("rpm --verify: %s", line)
			}
		}

		m.run("rpm --erase nano-runtime")
		m.fails("pgrep -x nanod")
		m.fails("systemctl is-enabled nano.socket")
		m.fails("command -v nano")
		m.run("test -e /var/lib/nano")
		m.run("test ! -e /etc/alternatives/nano")
	})
}

func TestRPMByPreset(t *testing.T) {
	eachSuite(t, func(t *testing.T, suite string) {
		m := bootWithRPM(t, suite)
		m.write("/etc/systemd/system-preset/10-mine.preset", "disable nano.socket\n")
		m.run(rpmInstall + "/e2e/nano.rpm")
		m.fails("systemctl is-enabled nano.socket")
	})
}

// editorRPM stands for the editor's package in that format: a file, /usr/bin/nano.
const editorRPM = `
mkdir -p /tmp/editor/usr/bin && cp -L /usr/bin/nano /tmp/editor/usr/bin/nano
cat > /tmp/nano.spec <<'END'
Name: nano
Version: 1
Release: 1
Summary: the editor
License: GPL
%description
The editor.
%install
cp -a /tmp/editor/. %{buildroot}
%files
/usr/bin/nano
END
rpmbuild -bb --define '_rpmdir /tmp' /tmp/nano.spec && mv /tmp/*/nano-1-1.*.rpm /tmp/nano.rpm
`

func TestRPMLeavesTheEditorAlone(t *testing.T) {
	orders := map[string][]string{
		"before": {"install editor", "install ours", "editor is nano", "upgrade ours", "editor is nano", "remove ours", "editor is nano"},
		"after":  {"install ours", "ours answers to nano", "install editor", "editor is nano", "upgrade ours", "editor is nano", "remove ours", "editor is nano"},
		"goes":   {"install ours", "install editor", "upgrade ours", "editor is nano", "remove editor", "remove ours", "no nano"},
	}
	eachSuite(t, func(t *testing.T, suite string) {
		for name, steps := range orders {
			t.Run(name, func(t *testing.T) {
				m := bootWithRPM(t, suite)
				m.install("nano")
				m.run(editorRPM)
				m.run("apt-get -q -y purge nano")
				for _, step := range steps {
					t.Log(step)
					m.rpmStep(step)
				}
			})
		}
	})
}

func (m *machine) rpmStep(step string) {
	m.t.Helper()
	switch step {
	case "install editor":
		m.run(rpmInstall + "/tmp/nano.rpm")
	case "remove editor":
		m.run("rpm --erase nano")
	case "install ours":
		m.run(rpmInstall + "/e2e/nano.rpm")
	case "upgrade ours":
		m.run("rpm --upgrade --nodeps /e2e/next.rpm")
	case "remove ours":
		m.run("rpm --erase nano-runtime")
	case "ours answers to nano":
		m.wantOurs()
	case "no nano":
		m.fails("command -v nano")
	case "editor is nano":
		wantContains(m.t, "nano --version", m.run("nano --version"), "GNU nano")
		m.run("rpm --verify --nodeps nano")
		m.run("test -f /usr/bin/nano -a ! -L /usr/bin/nano")
		// Completions of ours that are still there don't take effect.
		m.fails("bash -c '. /usr/share/bash-completion/completions/nano && complete -p nano'")
	default:
		m.t.Fatalf("no step %q", step)
	}
}
