//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
)

const talker = `export default {
  fetch(request) {
    const url = new URL(request.url);
    if (url.pathname === "/throw") throw new Error("it broke");
    console.error("an error of the app");
    console.log("a remark of the app");
    return new Response("said\n");
  },
};
`

// entry is what a line of the journal has, by field.
type entry map[string]any

func (e entry) text(field string) string {
	text, _ := e[field].(string)
	return text
}

func (m *machine) entries(filters string) []entry {
	m.t.Helper()
	var all []entry
	for line := range strings.Lines(m.run("journalctl --no-pager --all -o json " + filters)) {
		var e entry
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			m.t.Fatal(err)
		}
		all = append(all, e)
	}
	return all
}

func TestJournal(t *testing.T) {
	eachSuite(t, func(t *testing.T, suite string) {
		m := boot(t, suite)
		m.installNano()
		m.write("/srv/talker/index.js", talker)
		m.write("/etc/nano/apps.d/talker.toml", "[apps.talker]\nhosts = [\"talker.localhost\"]\nroot = \"/srv/talker\"\n")
		m.curl("-H 'Host: talker.localhost' http://127.0.0.1/")
		m.run("curl -sS -H 'Host: talker.localhost' http://127.0.0.1/throw")

		var errors []entry
		eventually(t, 10*time.Second, func() string {
			if errors = m.entries("-u nano NANO_APP=talker -p err"); len(errors) < 2 {
				return "the app's errors are not in the journal"
			}
			return ""
		})
		said, threw := errors[0], errors[1]
		if said.text("MESSAGE") != "an error of the app" || said.text("PRIORITY") != "3" {
			t.Errorf("console.error became %q with priority %s", said.text("MESSAGE"), said.text("PRIORITY"))
		}
		if said.text("NANO_REQUEST_ID") == "" || said.text("NANO_VERSION") == "" {
			t.Errorf("console.error has no request id or version: %v", said)
		}
		// The whole stack, in the original file, in one entry.
		trace := ""
		for field, value := range threw {
			if text, ok := value.(string); ok && !strings.HasPrefix(field, "_") {
				trace += text + "\n"
			}
		}
		wantContains(t, "the entry of the exception", trace, "it broke", "index.js:4")

		remarks := m.entries("-u nano NANO_APP=talker PRIORITY=6")
		found := false
		for _, e := range remarks {
			found = found || e.text("MESSAGE") == "a remark of the app"
		}
		if !found {
			t.Errorf("console.log is not among %d entries of priority 6", len(remarks))
		}
		ours := m.entries("-u nano _COMM=nanod")
		located := 0
		for _, e := range ours {
			if e.text("CODE_FILE") != "" && e.text("CODE_LINE") != "" {
				located++
			}
		}
		if located == 0 {
			t.Error("no entry of the daemon's own says where in the code it comes from")
		}
		m.run("setpriv --reuid 4711 --regid nano --clear-groups nanod apps reload talker")
		wantContains(t, "nanod apps show", m.run("nanod apps show talker"), "by api uid=4711")
		wantContains(t, "nanod apps logs", m.run("nanod apps logs talker"), "an error of the app", "a remark of the app")
	})
}

const flooder = `export default {
  fetch(request) {
    const lines = Number(new URL(request.url).pathname.slice(1));
    for (let i = 0; i < lines; i++) console.log("line " + i);
    return new Response("said");
  },
};
`

// The lines of many apps that write all they can don't cost another one its own:
// each is held back by itself, and journald drops nothing of the service.
func TestFloodCostsOthersNothing(t *testing.T) {
	const apps = 24
	eachSuite(t, func(t *testing.T, suite string) {
		m := boot(t, suite)
		m.installNano()
		m.write("/srv/flooder/index.js", flooder)
		config := "[apps.quiet]\nhosts = [\"quiet.localhost\"]\nroot = \"/srv/flooder\"\n"
		for i := range apps {
			config += fmt.Sprintf("[apps.loud%d]\nhosts = [\"loud%[1]d.localhost\"]\nroot = \"/srv/flooder\"\n", i)
		}
		m.write("/etc/nano/apps.d/flood.toml", config)
		for i := range apps {
			// Each at its time, or the daemon's own queue is full.
			m.curl(fmt.Sprintf("-H 'Host: loud%d.localhost' http://127.0.0.1/3000", i))
			m.awaitLine(fmt.Sprintf("loud%d", i), "line 1999")
		}
		m.curl("-H 'Host: quiet.localhost' http://127.0.0.1/3")

		count := func(filters string) int {
			return atoi(t, m.run("journalctl --no-pager -q -o cat -u nano "+filters+" | wc -l"))
		}
		m.awaitLine("quiet", "line 2")
		// What was held back is said after ten seconds.
		eventually(t, 30*time.Second, func() string {
			if n := count("--grep '^suppressed [0-9]+ lines of app'"); n < apps {
				return fmt.Sprintf("of %d apps it is said that lines were held back", n)
			}
			return ""
		})
		if n := count("--grep '^line'"); n < apps*2000 {
			t.Errorf("the apps may write 2000 lines each in a burst, and journald has dropped some: it has %d", n)
		}
	})
}

// awaitLine waits until the journal has a line of an app.
func (m *machine) awaitLine(app, line string) {
	m.t.Helper()
	eventually(m.t, 20*time.Second, func() string {
		if m.try("journalctl --no-pager -q -o cat -u nano NANO_APP="+app+" | grep -qx '"+line+"'").code != 0 {
			return fmt.Sprintf("the journal has no %q of app %s", line, app)
		}
		return ""
	})
}

const keeper = `export default {
  fetch(request, env) {
    return Response.json(env);
  },
};
`

func TestCredentials(t *testing.T) {
	eachSuite(t, func(t *testing.T, suite string) {
		m := boot(t, suite)
		m.installNano()
		m.write("/srv/keeper/index.js", keeper)
		m.write("/etc/nano/apps.d/keeper.toml", `[apps.keeper]
hosts   = ["keeper.localhost"]
root    = "/srv/keeper"
secrets = { PLAIN = "credential:plain", SEALED = "credential:sealed" }
`)
		m.write("/root/plain", "plain-secret")
		m.run("chmod 600 /root/plain")
		m.run("mkdir -p /etc/systemd/system/nano.service.d")
		m.run(`{ echo '[Service]'; echo LoadCredential=plain:/root/plain;
			printf sealed-secret | systemd-creds encrypt --with-key=host --name=sealed --pretty - -; } > /etc/systemd/system/nano.service.d/secrets.conf`)
		m.run("systemctl daemon-reload")
		wantContains(t, "the app's env", m.curl("-H 'Host: keeper.localhost' http://127.0.0.1/"), "plain-secret", "sealed-secret")
		m.run("systemctl reload nano")
		wantContains(t, "the app's env after a reload", m.curl("-H 'Host: keeper.localhost' http://127.0.0.1/"), "plain-secret", "sealed-secret")

		shown := m.run("nanod apps show keeper; nanod apps show keeper --json; nanod apps list --json; "+
			"curl -sS --unix-socket /run/nano/admin.sock http://localhost/admin/apps/keeper") +
			m.try("nanod check; nanod check --json").out +
			m.run("journalctl --no-pager --all -o export")
		for _, secret := range []string{"plain-secret", "sealed-secret"} {
			if strings.Contains(shown, secret) {
				t.Errorf("%q is shown by a command, the API or the journal", secret)
			}
		}
	})
}
