package admin_test

import (
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
)

func TestMetrics(t *testing.T) {
	b := begin(t, files)
	b.public("one.test", "/")
	b.send("POST", "/admin/apps", `{"name": "two", "hosts": ["two.test"], "root": "DIR/two"}`)
	text := b.send("GET", "/admin/metrics", "").Body.String()
	for _, want := range []string{
		`nano_app_requests_total{app="one",code="200"} 1`,
		`nano_app_request_duration_seconds_count{app="one"} 1`,
		`nano_app_request_duration_seconds_bucket{app="one",le="+Inf"} 1`,
		`nano_app_requests_in_flight{app="one"} 0`,
		`nano_app_isolates{app="two"} 1`,
		`nano_app_limit_hits_total{app="one",limit="memory"} 0`,
		`nano_app_exceptions_total{app="one"} 0`,
		`nano_app_cold_starts_total{app="one"} 1`,
		`nano_app_state{app="two",state="serving"} 1`,
		`nano_reloads_total{result="success"} 2`,
		`nano_reloads_total{result="failure"} 0`,
		`nano_build_info{go="go`,
		`nano_connections 1`,
		`process_resident_memory_bytes`,
	} {
		if !strings.Contains(text, "\n"+want) {
			t.Errorf("no %s", want)
		}
	}
	problems, err := promlint.New(strings.NewReader(text)).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		if strings.HasPrefix(p.Metric, "nano_") {
			t.Errorf("%s: %s", p.Metric, p.Text)
		}
	}
}

// TestDashboard checks that the dashboard asks for metrics and labels that there are.
func TestDashboard(t *testing.T) {
	b := begin(t, files)
	b.public("one.test", "/")
	text := b.send("GET", "/admin/metrics", "").Body.String()
	data, err := os.ReadFile("../contrib/grafana-dashboard.json")
	if err != nil {
		t.Fatal(err)
	}
	if !json.Valid(data) {
		t.Fatal("the dashboard is no JSON")
	}
	asked := regexp.MustCompile(`\b(nano|process|go)_[a-z_]+[a-z]`).FindAllString(string(data), -1)
	if len(asked) < 20 {
		t.Fatalf("it asks for %q only", asked)
	}
	for _, name := range asked {
		if !regexp.MustCompile(`(?m)^` + name + `[{ ]`).MatchString(text) {
			t.Errorf("there is no metric %s", name)
		}
	}
	for _, m := range regexp.MustCompile(`by \(([a-z, ]+)\)|\{\{([a-z]+)\}\}`).FindAllStringSubmatch(string(data), -1) {
		for label := range strings.SplitSeq(m[1]+m[2], ", ") {
			if !strings.Contains(text, label+`="`) {
				t.Errorf("no metric has a label %q", label)
			}
		}
	}
}
