//go:build e2e

package e2e

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

// The walls of the service, seen from within by a process that runs as it does.
func TestSandbox(t *testing.T) {
	units := map[string]string{
		"nano.service":      "/var/lib/nano/probe",
		"nano@acme.service": "/var/lib/private/nano-tenants/acme/probe",
	}
	eachSuite(t, func(t *testing.T, suite string) {
		m := boot(t, suite)
		m.installNano()
		m.write("/srv/readable", "")
		m.write("/home/someone/secret", "")
		m.write("/root/secret", "")
		m.run("chmod 755 /home/someone; chmod 600 /root/secret")
		m.tenant("acme")
		for unit, file := range units {
			m.write("/etc/systemd/system/"+unit+".d/probe.conf", "[Service]\nExecStartPre=/e2e/inside probe ${STATE_DIRECTORY}/probe\n")
			m.run("systemctl daemon-reload && systemctl restart " + unit)
			var f struct {
				Writable, Readable, Processes, MayCall, Sockets []string
				Status                                          map[string]string
				JustInTime                                      bool
			}
			if err := json.Unmarshal([]byte(m.run("cat "+file)), &f); err != nil {
				t.Fatal(err)
			}
			t.Logf("%s: %+v", unit, f)
			if !f.JustInTime {
				t.Errorf("%s: V8 can't compile", unit)
			}
			for _, dir := range f.Writable {
				if unit != "nano.service" || dir != "/var/lib/nano" && dir != "/var/cache/nano" && dir != "/run/nano" {
					t.Errorf("%s can write to %s", unit, dir)
				}
			}
			if unit == "nano.service" && len(f.Writable) != 3 {
				t.Errorf("%s can write to %v alone", unit, f.Writable)
			}
			if !slices.Equal(f.Readable, []string{"/srv/readable"}) {
				t.Errorf("%s can read %v", unit, f.Readable)
			}
			if len(f.Processes) > 0 {
				t.Errorf("%s sees processes of others: %v", unit, f.Processes)
			}
			if len(f.MayCall) > 0 {
				t.Errorf("%s may call %v", unit, f.MayCall)
			}
			if !slices.Equal(f.Sockets, []string{"inet", "inet6", "unix"}) {
				t.Errorf("%s can open the sockets %v", unit, f.Sockets)
			}
			if f.Status["NoNewPrivs"] != "1" || f.Status["Seccomp"] != "2" {
				t.Errorf("%s runs with NoNewPrivs %s and seccomp %s", unit, f.Status["NoNewPrivs"], f.Status["Seccomp"])
			}
			for _, set := range []string{"CapEff", "CapPrm", "CapBnd", "CapAmb"} {
				if strings.Trim(f.Status[set], "0") != "" {
					t.Errorf("%s has capabilities: %s is %s", unit, set, f.Status[set])
				}
			}
		}
	})
}

const caller = `let n = 0;
for (let i = 0; i < 1e6; i++) n = (n * 31 + i) | 0; // hot enough to be compiled
export default {
  async fetch() {
    const answer = await fetch("http://upstream.example:8081/");
    return new Response(n + " " + (await answer.text()));
  },
};
`

// V8 compiles, names are resolved, and the network is reached, inside the walls.
func TestAppInSandbox(t *testing.T) {
	eachSuite(t, func(t *testing.T, suite string) {
		m := boot(t, suite)
		m.installNano()
		m.write("/etc/resolv.conf", "nameserver 127.0.0.1\n")
		m.run("systemd-run --unit=names /e2e/inside names")
		m.tenant("upstream")
		m.write("/etc/systemd/system/nano@upstream.socket.d/port.conf", "[Socket]\nListenStream=127.0.0.1:8081\n")
		m.run("systemctl daemon-reload && systemctl restart nano@upstream.socket")
		m.write("/srv/caller/index.js", caller)
		m.write("/etc/nano/apps.d/caller.toml", `[apps.caller]
hosts  = ["caller.localhost"]
root   = "/srv/caller"
egress = ["upstream.example:8081"]
`)
		wantContains(t, "the app", m.curl("-H 'Host: caller.localhost' http://127.0.0.1/"), "tenant upstream")
		// What is added while it runs is written to the state directory, and survives.
		m.run("nanod apps add added --root /srv/upstream --host added.localhost")
		m.run("systemctl restart nano.service")
		wantContains(t, "the added app", m.curl("-H 'Host: added.localhost' http://127.0.0.1/"), "tenant upstream")
		wantContains(t, "the state directory", m.run("ls /var/lib/nano/apps.d"), "added")
	})
}

func TestAdminSocketIsForTheGroup(t *testing.T) {
	eachSuite(t, func(t *testing.T, suite string) {
		m := boot(t, suite)
		m.installNano()
		m.run("useradd -m stranger; useradd -m -G nano member")
		m.curl("http://127.0.0.1/")
		if mode := m.run("stat -c '%a %U:%G' /run/nano/admin.sock"); mode != "660 nano:nano" && mode != "660 root:nano" {
			t.Errorf("the admin socket is %s", mode)
		}
		m.run("runuser -u member -- nanod apps list")
		m.fails("runuser -u stranger -- nanod apps list")
		m.fails("runuser -u stranger -- curl -sS --unix-socket /run/nano/admin.sock http://localhost/admin/apps")
		m.run("systemctl reload nano")
		m.run("runuser -u member -- nanod apps list")
		m.fails("runuser -u stranger -- nanod apps list")
	})
}
