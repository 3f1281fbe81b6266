//go:build e2e

package e2e

import "testing"

// Tenants have a daemon each: user, configuration, sockets, state and bounds.
func TestTenants(t *testing.T) {
	eachSuite(t, func(t *testing.T, suite string) {
		m := boot(t, suite)
		m.installNano()
		for _, name := range []string{"acme", "zenith"} {
			m.tenant(name)
			if got := m.curl("--unix-socket /run/nano-tenants/" + name + ".sock http://localhost/"); got != "tenant "+name {
				t.Errorf("%s answers %q", name, got)
			}
			unit := "nano@" + name + ".service"
			want := map[string]string{
				"User": "nano-" + name, "DynamicUser": "yes", "MemoryMax": "1073741824", "CPUQuotaPerSecUSec": "1s", "TasksMax": "1024",
			}
			for property, value := range want {
				if got := m.property(unit, property); got != value {
					t.Errorf("%s of %s is %s, not %s", property, unit, got, value)
				}
			}
			socket := "/run/nano-tenants/" + name + "/admin.sock"
			wantContains(t, "the tenant's apps", m.run("nanod --socket "+socket+" apps list"), "site")
			m.run("systemctl reload " + unit)
			if user := m.run("ps -o user:20= -p $(systemctl show --value -p MainPID " + unit + ")"); user != "nano-"+name {
				t.Errorf("%s runs as %s", unit, user)
			}
		}
		// One tenant's user is a stranger to the other and to the main instance.
		m.curl("http://127.0.0.1/")
		for _, socket := range []string{"/run/nano-tenants/zenith/admin.sock", "/run/nano/admin.sock"} {
			m.fails("setpriv --reuid nano-acme --regid nano-acme --clear-groups nanod --socket " + socket + " apps list")
		}
		m.fails("setpriv --reuid nano-acme --regid nano-acme --clear-groups ls /var/lib/private/nano-tenants/zenith")

		// An upgrade reloads every instance that runs.
		before := m.property("nano@acme.service", "MainPID")
		m.run("dpkg -i /e2e/next.deb")
		if after := m.property("nano@acme.service", "MainPID"); after == before {
			t.Error("the upgrade left a tenant on the old version")
		}

		// Its own address and bounds, by a drop-in.
		m.write("/etc/systemd/system/nano@acme.socket.d/port.conf", "[Socket]\nListenStream=\nListenStream=127.0.0.1:8082\n")
		m.write("/etc/systemd/system/nano@acme.service.d/bounds.conf", "[Service]\nMemoryMax=4G\nCPUQuota=200%\n")
		m.run("systemctl daemon-reload && systemctl restart nano@acme.socket")
		if got := m.curl("http://127.0.0.1:8082/"); got != "tenant acme" {
			t.Errorf("on its own port acme answers %q", got)
		}
		if got := m.property("nano@acme.service", "MemoryMax") + " " + m.property("nano@acme.service", "CPUQuotaPerSecUSec"); got != "4294967296 2s" {
			t.Errorf("acme's bounds are %s", got)
		}
	})
}

// A tenant without a configuration is not started over and over.
func TestTenantWithoutConfigIsRefused(t *testing.T) {
	eachSuite(t, func(t *testing.T, suite string) {
		m := boot(t, suite)
		m.installNano()
		m.run("systemctl start nano@nobody.socket")
		m.fails("systemctl is-active nano@nobody.socket")
	})
}
