//go:build e2e

package e2e

import (
	"strings"
	"testing"
)

// The editor called nano, and our package, come and go in every order.
func TestEditorIsLeftAlone(t *testing.T) {
	orders := map[string][]string{
		"absent":     {"install ours", "ours answers to nano", "upgrade ours", "ours answers to nano", "remove ours", "no nano", "purge ours", "no nano"},
		"before":     {"install editor", "install ours", "editor is nano", "upgrade ours", "editor is nano", "remove ours", "editor is nano", "purge ours", "editor is nano"},
		"after":      {"install ours", "ours answers to nano", "install editor", "editor is nano", "upgrade ours", "editor is nano", "purge ours", "editor is nano"},
		"goes first": {"install editor", "install ours", "editor is nano", "remove editor", "ours answers to nano", "purge ours", "no nano"},
		"comes and goes": {
			"install ours", "install editor", "editor is nano", "purge editor", "ours answers to nano", "upgrade ours",
			"ours answers to nano", "install editor", "editor is nano", "remove ours", "editor is nano", "install ours", "editor is nano",
		},
		"both at once": {"install both", "editor is nano", "remove ours", "editor is nano"},
	}
	eachSuite(t, func(t *testing.T, suite string) {
		for name, steps := range orders {
			t.Run(name, func(t *testing.T) {
				m := boot(t, suite)
				for _, step := range steps {
					t.Log(step)
					m.step(step)
				}
			})
		}
	})
}

func (m *machine) step(step string) {
	m.t.Helper()
	switch step {
	case "install ours":
		m.installNano()
		m.run("nanod version")
	case "upgrade ours":
		m.run("dpkg -i /e2e/next.deb")
		m.run("nanod version")
	case "remove ours":
		m.run("apt-get -q -y remove nano-runtime")
	case "purge ours":
		m.run("apt-get -q -y purge nano-runtime")
	case "install editor":
		m.install("nano")
	case "remove editor":
		m.run("apt-get -q -y remove nano")
	case "purge editor":
		m.run("apt-get -q -y purge nano")
	case "install both":
		m.run("dpkg -i /packages/nano_*.deb /e2e/nano.deb")
	case "editor is nano":
		m.wantEditor()
	case "ours answers to nano":
		m.wantOurs()
	case "no nano":
		m.fails("command -v nano")
		m.run("test ! -e /usr/share/bash-completion/completions/nano")
		m.run("test ! -e /etc/alternatives/nano")
	default:
		m.t.Fatalf("no step %q", step)
	}
}

// wantEditor makes sure that nano is the editor, whole, and not completed as ours is.
func (m *machine) wantEditor() {
	m.t.Helper()
	wantContains(m.t, "nano --version", m.run("nano --version"), "GNU nano")
	if changed := m.run("dpkg --verify nano"); changed != "" {
		m.t.Errorf("files of the editor have changed:\n%s", changed)
	}
	m.run("test -f /usr/bin/nano -a ! -L /usr/bin/nano")
	m.run("test ! -e /etc/alternatives/nano")
	for _, path := range completionsOfNano {
		m.run("test ! -e " + path)
	}
}

var completionsOfNano = []string{
	"/usr/share/bash-completion/completions/nano",
	"/usr/share/fish/vendor_completions.d/nano.fish",
	"/usr/share/zsh/vendor-completions/_nano",
	"/usr/share/man/man8/nano.8.gz",
}

func (m *machine) wantOurs() {
	m.t.Helper()
	m.run("nano version")
	if to := m.run("readlink -f /usr/bin/nano"); to != "/usr/bin/nanod" {
		m.t.Errorf("/usr/bin/nano leads to %s", to)
	}
	m.run("test -e /usr/share/bash-completion/completions/nano -a -e /usr/share/fish/vendor_completions.d/nano.fish")
}

// Another program's symlink at /usr/bin/nano is nobody's to replace.
func TestForeignLinkIsLeftAlone(t *testing.T) {
	eachSuite(t, func(t *testing.T, suite string) {
		m := boot(t, suite)
		m.installNano()
		m.wantOurs()
		m.run("ln -sf /bin/true /usr/bin/nano")
		for _, step := range []string{"upgrade ours", "remove ours", "purge ours"} {
			m.step(step)
			if to := m.run("readlink /usr/bin/nano"); to != "/bin/true" {
				t.Fatalf("after %q /usr/bin/nano leads to %s", step, to)
			}
		}
	})
}

func TestConffilesAreKept(t *testing.T) {
	eachSuite(t, func(t *testing.T, suite string) {
		m := boot(t, suite)
		m.installNano()
		m.run("echo '# mine' >> /etc/nano/nano.toml; rm /etc/nano/apps.d/welcome.toml")
		m.write("/etc/nano/apps.d/mine.toml", "# mine too\n")
		m.step("upgrade ours")
		m.run("grep -q '# mine' /etc/nano/nano.toml")
		m.run("test ! -e /etc/nano/apps.d/welcome.toml -a -e /etc/nano/apps.d/mine.toml")
		m.step("remove ours")
		m.run("grep -q '# mine' /etc/nano/nano.toml")
		m.step("purge ours")
		m.run("test ! -e /etc/nano/nano.toml -a -e /etc/nano/apps.d/mine.toml")
	})
}

// A fresh install serves at once, and greets.
func TestFreshInstallGreets(t *testing.T) {
	eachSuite(t, func(t *testing.T, suite string) {
		m := boot(t, suite)
		m.installNano()
		m.run("systemctl is-enabled nano.socket")
		m.run("systemctl is-active nano.socket")
		m.fails("systemctl is-active nano.service")
		wantContains(t, "the greeting", m.curl("http://localhost/"),
			"NANO is running", "/etc/nano/apps.d/hello.toml", "nanod check && systemctl reload nano", "rm /etc/nano/apps.d/welcome.toml")
		wantContains(t, "the greeting for browsers", m.curl("-H 'Accept: text/html' http://localhost/"), "<!doctype html>", "NANO is running")
	})
}

// What the greeting says to do, works as it is written.
func TestGreetingIsTrue(t *testing.T) {
	eachSuite(t, func(t *testing.T, suite string) {
		m := boot(t, suite)
		m.installNano()
		m.write("/srv/hello/index.js", `export default {
  fetch(request) {
    return new Response("Hello from " + new URL(request.url).hostname + "\n");
  },
};
`)
		m.write("/etc/nano/apps.d/hello.toml", "[apps.hello]\nhosts = [\"hello.localhost\"]\nroot  = \"/srv/hello\"\n")
		m.curl("http://localhost/")
		m.run("nanod check && systemctl reload nano")
		if got := m.curl("-H 'Host: hello.localhost' http://localhost/"); got != "Hello from hello.localhost" {
			t.Errorf("the new app answers %q", got)
		}
		wantContains(t, "nanod apps list", m.run("nanod apps list"), "hello", "welcome")
		m.run("rm /etc/nano/apps.d/welcome.toml && systemctl reload nano")
		if code := m.run("curl -s -o /dev/null -w '%{http_code}' http://localhost/"); code != "404" {
			t.Errorf("without the greeting an unknown host gets %s", code)
		}
	})
}

func TestSocketIsEnabledByPreset(t *testing.T) {
	eachSuite(t, func(t *testing.T, suite string) {
		m := boot(t, suite)
		m.write("/etc/systemd/system-preset/10-mine.preset", "disable nano.socket\n")
		m.installNano()
		m.fails("systemctl is-enabled nano.socket")
		m.fails("systemctl is-active nano.socket")
	})
}

// An operator's choice survives upgrades.
func TestDisabledStaysDisabled(t *testing.T) {
	eachSuite(t, func(t *testing.T, suite string) {
		m := boot(t, suite)
		m.installNano()
		m.run("systemctl disable --now nano.socket")
		m.step("upgrade ours")
		m.fails("systemctl is-enabled nano.socket")
		m.fails("systemctl is-active nano.socket")
	})
}

func TestPortTakenIsSaid(t *testing.T) {
	eachSuite(t, func(t *testing.T, suite string) {
		m := boot(t, suite)
		m.write("/etc/systemd/system/squatter.socket", "[Socket]\nListenStream=80\nAccept=yes\n")
		m.write("/etc/systemd/system/squatter@.service", "[Service]\nExecStart=true\n")
		m.run("systemctl start squatter.socket")
		out := m.run("apt-get -q -y --no-install-recommends install /e2e/nano.deb")
		wantContains(t, "the installation", out, "port 80")
	})
}

func TestRemovalStopsAndPurgeForgets(t *testing.T) {
	eachSuite(t, func(t *testing.T, suite string) {
		m := boot(t, suite)
		m.installNano()
		m.curl("http://localhost/")
		m.run("systemctl enable nano.service")
		m.tenant("acme")
		m.curl("--unix-socket /run/nano-tenants/acme.sock http://localhost/")
		m.run("touch /var/lib/nano/apps.d/kept.toml")

		m.step("remove ours")
		m.fails("pgrep -x nanod")
		m.fails("curl -sS --max-time 2 http://localhost/")
		m.run("test -e /var/lib/nano/apps.d/kept.toml")

		m.step("purge ours")
		left := m.run("find / -xdev -path '*nano*' -not -path '/proc/*' -not -path '/e2e/*' -not -path '/packages/*' " +
			"-not -path '/usr/share/*' -not -path '/var/log/*' -not -path '/sys/*'; find /run /var/lib/private /var/cache/private -name '*nano*'")
		for path := range strings.Lines(left) {
			path = strings.TrimSpace(path)
			// What the operator made stays.
			if !strings.HasPrefix(path, "/etc/nano") {
				t.Errorf("left after a purge: %s", path)
			}
		}
		wantContains(t, "/etc/passwd", m.run("cat /etc/passwd"), "nano:")

		// And a second time everything is as the first time.
		m.installNano()
		m.run("systemctl is-enabled nano.socket")
		m.curl("http://localhost/")
	})
}

// tenant makes and starts an instance whose app answers with its name.
func (m *machine) tenant(name string) {
	m.t.Helper()
	m.write("/srv/"+name+"/index.js", `export default { fetch() { return new Response("tenant `+name+`\n"); } };`)
	m.write("/etc/nano/"+name+"/nano.toml", "[apps.site]\nroot = \"/srv/"+name+"\"\ndefault = true\n")
	m.run("systemctl enable --now nano@" + name + ".socket")
}
