//go:build e2e

package e2e

import (
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

func TestUnits(t *testing.T) {
	eachSuite(t, func(t *testing.T, suite string) {
		m := boot(t, suite)
		for _, s := range suites {
			if s.name == suite {
				wantContains(t, "systemctl --version", m.run("systemctl --version"), "systemd "+s.systemd)
			}
		}
		m.install("man-db") // verify looks the Documentation= up
		m.installNano()
		for _, unit := range []string{"nano.socket", "nano.service", "nano@acme.socket", "nano@acme.service"} {
			if said := m.run("systemd-analyze verify " + unit); said != "" {
				t.Errorf("systemd-analyze verify %s: %s", unit, said)
			}
		}
		exposure := regexp.MustCompile(`Overall exposure level for \S+: ([0-9.]+)`)
		for _, unit := range []string{"nano.service", "nano@acme.service"} {
			table := m.run("systemd-analyze security --no-pager " + unit)
			found := exposure.FindStringSubmatch(table)
			if found == nil {
				t.Fatalf("no exposure level in:\n%s", table)
			}
			if level, err := strconv.ParseFloat(found[1], 64); err != nil || level >= 2.0 {
				t.Errorf("the exposure level of %s is %s:\n%s", unit, found[1], table)
			}
		}
		if sets := m.property("nano.service", "StartLimitIntervalUSec") + " " + m.property("nano.socket", "TriggerLimitIntervalUSec"); sets != "0 0" {
			t.Errorf("limits that close the socket: %s", sets)
		}
		for _, page := range []string{"nanod", "nano.toml"} {
			if said := m.run("man --warnings " + page + " 2>&1 >/dev/null"); said != "" {
				t.Errorf("man %s: %s", page, said)
			}
		}
	})
}

// The template is as hard as the service: whoever changes one changes the other.
func TestTemplateIsAsHard(t *testing.T) {
	hardening := func(file string) string {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		_, rest, found := strings.Cut(string(text), "LimitNOFILE=")
		set, _, end := strings.Cut(rest, "\n[Install]")
		if !found || !end {
			t.Fatalf("%s is not laid out as expected", file)
		}
		return set
	}
	if service, template := hardening("../nano.service"), hardening("../nano@.service"); service != template {
		t.Errorf("nano.service has:\n%s\nand nano@.service:\n%s", service, template)
	}
}
