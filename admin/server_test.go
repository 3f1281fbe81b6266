package admin_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/nano-runtime/nano/admin"
	"github.com/nano-runtime/nano/control"
)

// TestLife takes an app through all that can be done to it.
func TestLife(t *testing.T) {
	b := begin(t, files)
	const body = `{"name": "two", "hosts": ["two.test"], "root": "DIR/two", "env": {"N": 1}, "secrets": {"S": "env:HOME"}}`
	w := b.send("POST", "/admin/apps", body)
	if w.Code != http.StatusCreated || w.Header().Get("Location") != "/admin/apps/two" || w.Header().Get("ETag") == "" {
		t.Fatalf("got %d %v %s", w.Code, w.Header(), w.Body)
	}
	if _, got := b.public("two.test", "/"); got != "two 1" {
		t.Errorf("got %q", got)
	}
	b.log.Await(t, `"admin write"`, `"path":"/admin/apps"`, `"status":201`, `"uid":1234`, `"pid":77`)

	d := ok[admin.Detail](b, "GET", "/admin/apps/two", "")
	if d.Version != 1 || d.By != "api uid=1234" || !d.Managed || d.State != "serving" || d.Requests != 1 || d.Codes["200"] != 1 {
		t.Errorf("%+v", d)
	}
	if s := string(d.Settings); strings.Contains(s, "HOME") && strings.Contains(s, "env:") {
		t.Errorf("the settings show where a secret is from: %s", s)
	}

	list := ok[admin.List](b, "GET", "/admin/apps", "")
	if len(list.Apps) != 2 || list.Apps[0].Name != "one" || list.Apps[1].ETag != d.ETag {
		t.Errorf("%+v", list)
	}

	d2 := ok[admin.Detail](b, "PUT", "/admin/apps/two", strings.Replace(body, `"N": 1`, `"N": 2`, 1), "If-Match", `"`+d.ETag+`"`)
	if d2.Version != 2 || d2.ETag == d.ETag {
		t.Errorf("%+v", d2)
	}
	if _, got := b.public("two.test", "/"); got != "two 2" {
		t.Errorf("got %q", got)
	}
	if d := ok[admin.Detail](b, "POST", "/admin/apps/two/reload", ""); d.Version != 3 || len(d.Versions) != 3 {
		t.Errorf("%+v", d)
	}
	if d := ok[admin.Detail](b, "POST", "/admin/apps/two/disable", ""); d.State != "disabled" || d.Version != 0 {
		t.Errorf("%+v", d)
	}
	if d := ok[admin.Detail](b, "POST", "/admin/apps/two/enable", ""); d.State != "serving" || d.Version != 4 {
		t.Errorf("%+v", d)
	}
	if o := ok[control.Outcome](b, "POST", "/admin/reload", ""); o.Unchanged != 2 {
		t.Errorf("%+v", o)
	}
	if r := ok[admin.Removal](b, "DELETE", "/admin/apps/two", ""); !r.Drained || r.Removed != "two" {
		t.Errorf("%+v", r)
	}
	if status, _ := b.public("two.test", "/"); status != 404 {
		t.Errorf("got %d", status)
	}
	s := ok[admin.Status](b, "GET", "/admin/status", "")
	// The removed app is drained; V8 may still be giving its isolate back.
	for end := time.Now().Add(time.Minute); s.Budget.Isolates != 1 && time.Now().Before(end); {
		s = ok[admin.Status](b, "GET", "/admin/status", "")
	}
	if s.Version != "test" || s.Apps["serving"] != 1 || s.PID == 0 || s.Resident == 0 || s.Last.By != "api uid=1234" ||
		s.Budget.Isolates != 1 || s.Budget.MaxHeap == 0 || len(s.Budget.Largest) != 1 || s.Budget.Largest[0].App != "one" {
		t.Errorf("%+v", s)
	}
	if w := b.send("PUT", "/admin/apps/two", body); w.Code != http.StatusCreated {
		t.Errorf("PUT of a new app: %d", w.Code)
	}
	if w := b.send("HEAD", "/admin/apps", ""); w.Code != http.StatusOK {
		t.Errorf("HEAD: %d", w.Code)
	}
}

// TestRefusals sends each endpoint what it must not take.
func TestRefusals(t *testing.T) {
	b := begin(t, files)
	const good = `{"name": "two", "hosts": ["two.test"], "root": "DIR/two"}`
	if w := b.send("POST", "/admin/apps", good); w.Code != 201 {
		t.Fatal(w.Body)
	}
	big := `{"name": "x", "env": {"A": "` + strings.Repeat("x", 1<<20) + `"}}`
	deep := strings.Repeat(`{"env":`, 1000) + "1" + strings.Repeat("}", 1000)
	tests := []struct {
		name         string
		method, path string
		body         string
		header       []string
		status       int
		slug         string
		text         string // of the detail, or of a problem with its place
	}{
		{"no such path", "GET", "/admin/nope", "", nil, 404, "not-found", "no /admin/nope"},
		{"outside", "GET", "/", "", nil, 404, "not-found", ""},
		{"method of the list", "DELETE", "/admin/apps", "", nil, 405, "method", "GET, POST"},
		{"method of an app", "PATCH", "/admin/apps/two", "", nil, 405, "method", ""},
		{"method of reload", "GET", "/admin/apps/two/reload", "", nil, 405, "method", ""},
		{"method of enable", "GET", "/admin/apps/two/enable", "", nil, 405, "method", ""},
		{"method of disable", "PUT", "/admin/apps/two/disable", "", nil, 405, "method", ""},
		{"method of logs", "POST", "/admin/apps/two/logs", "", nil, 405, "method", ""},
		{"method of the big reload", "GET", "/admin/reload", "", nil, 405, "method", "POST"},
		{"method of status", "POST", "/admin/status", "", nil, 405, "method", ""},
		{"method of events", "POST", "/admin/events", "", nil, 405, "method", ""},
		{"method of metrics", "POST", "/admin/metrics", "", nil, 405, "method", ""},

		{"foreign host", "GET", "/admin/apps", "", []string{"Host", "evil.example"}, 403, "forbidden", "evil.example"},
		{"host with a port", "GET", "/admin/apps", "", []string{"Host", "localhost:80"}, 403, "forbidden", ""},
		{"no host", "GET", "/admin/apps", "", []string{"Host", ""}, 403, "forbidden", ""},
		{"origin", "GET", "/admin/apps", "", []string{"Origin", "http://localhost"}, 403, "forbidden", "browsers"},
		{"null origin", "POST", "/admin/apps", good, []string{"Origin", "null"}, 403, "forbidden", "browsers"},
		{"fetch metadata", "GET", "/admin/apps", "", []string{"Sec-Fetch-Site", "none"}, 403, "forbidden", "browsers"},

		{"create: no body", "POST", "/admin/apps", "", nil, 400, "bad-request", "not JSON"},
		{"create: no JSON", "POST", "/admin/apps", "name=two", nil, 400, "bad-request", "1:2"},
		{"create: cut short", "POST", "/admin/apps", `{"name": "x",`, nil, 400, "bad-request", "unexpected end"},
		{"create: trailing data", "POST", "/admin/apps", good + `{}`, nil, 400, "bad-request", "after top-level"},
		{"create: list", "POST", "/admin/apps", `[]`, nil, 400, "bad-request", "a list"},
		{"create: null", "POST", "/admin/apps", `null`, nil, 400, "bad-request", "null"},
		{"create: key twice", "POST", "/admin/apps", "{\"name\": \"x\",\n \"name\": \"y\"}", nil, 400, "bad-request", "2:2"},
		{"create: name of a wrong type", "POST", "/admin/apps", `{"name": 7}`, nil, 400, "bad-request", "1:10"},
		{"create: no name", "POST", "/admin/apps", `{"root": "DIR/two"}`, nil, 400, "bad-request", "no name"},
		{"create: bad name", "POST", "/admin/apps", `{"name": "../x"}`, nil, 400, "bad-request", "no name for an app"},
		{"create: very deep", "POST", "/admin/apps", deep, nil, 400, "bad-request", "deeper"},
		{"create: not UTF-8", "POST", "/admin/apps", "{\"name\": \"\xff\"}", nil, 400, "bad-request", "UTF-8"},
		{"create: unknown key", "POST", "/admin/apps", "{\"name\": \"x\", \"hosts\": [\"x.test\"], \"root\": \"DIR/two\",\n\"limit\": {}}", nil, 422, "invalid", "2:1: unknown key"},
		{"create: wrong type", "POST", "/admin/apps", `{"name": "x", "hosts": "x.test", "root": "DIR/two"}`, nil, 422, "invalid", "1:24: hosts"},
		{"create: wrong unit", "POST", "/admin/apps", `{"name": "x", "hosts": ["x.test"], "root": "DIR/two", "limits": {"memory": "64"}}`, nil, 422, "invalid", "no unit"},
		{"create: no folder", "POST", "/admin/apps", `{"name": "x", "hosts": ["x.test"], "root": "/nonexistent"}`, nil, 422, "invalid", "does not exist"},
		{"create: host of another", "POST", "/admin/apps", `{"name": "x", "hosts": ["one.test"], "root": "DIR/two"}`, nil, 422, "invalid", "already claimed"},
		{"create: throws", "POST", "/admin/apps", `{"name": "x", "hosts": ["x.test"], "root": "DIR/throws"}`, nil, 422, "load-failed", "not today"},
		{"create: there is one", "POST", "/admin/apps", good, nil, 409, "conflict", `app "two"`},
		{"create: there is one in a file", "POST", "/admin/apps", `{"name": "one", "hosts": ["x.test"], "root": "DIR/two"}`, nil, 409, "conflict", `app "one"`},
		{"create: too big", "POST", "/admin/apps", big, nil, 413, "too-large", "1048576"},
		{"create: a form", "POST", "/admin/apps", good, []string{"Content-Type", "application/x-www-form-urlencoded"}, 415, "media-type", "application/json"},
		{"create: stale list", "POST", "/admin/apps", `{"name": "x", "hosts": ["x.test"], "root": "DIR/two"}`, []string{"If-Match", `"00"`}, 412, "stale", ""},
		{"create: parameter", "POST", "/admin/apps?force=1", good, nil, 400, "bad-request", "force"},

		{"list: parameter", "GET", "/admin/apps?x=1", "", nil, 400, "bad-request", `"x"`},
		{"list: body", "GET", "/admin/apps", "{}", nil, 400, "bad-request", "takes no body"},

		{"show: not there", "GET", "/admin/apps/nope", "", nil, 404, "not-found", `"nope"`},
		{"show: strange name", "GET", "/admin/apps/%2e%2e%2fetc", "", nil, 404, "not-found", ""},
		{"show: body", "GET", "/admin/apps/two", "x", nil, 400, "bad-request", "takes no body"},

		{"put: other name", "PUT", "/admin/apps/two", `{"name": "three"}`, nil, 400, "bad-request", "three"},
		{"put: bad name", "PUT", "/admin/apps/Two", `{"root": "DIR/two"}`, nil, 400, "bad-request", "no name for an app"},
		{"put: wrong type", "PUT", "/admin/apps/two", `{"hosts": ["two.test"], "root": 7}`, nil, 422, "invalid", "1:33: root"},
		{"put: unknown field", "PUT", "/admin/apps/two", `{"hosts": ["two.test"], "root": "DIR/two", "x": 1}`, nil, 422, "invalid", "unknown key"},
		{"put: too big", "PUT", "/admin/apps/two", big, nil, 413, "too-large", ""},
		{"put: of a file", "PUT", "/admin/apps/one", `{"hosts": ["x.test"], "root": "DIR/two"}`, nil, 409, "foreign", "etc/nano.toml"},
		{"put: stale", "PUT", "/admin/apps/two", good, []string{"If-Match", `"00"`}, 412, "stale", `app "two"`},
		{"put: weak etag", "PUT", "/admin/apps/two", good, []string{"If-Match", `W/"00"`}, 400, "bad-request", "If-Match"},
		{"put: bare etag", "PUT", "/admin/apps/two", good, []string{"If-Match", `00`}, 400, "bad-request", "If-Match"},
		{"put: any, but not there", "PUT", "/admin/apps/three", `{"hosts": ["x.test"], "root": "DIR/two"}`, []string{"If-Match", `*`}, 404, "not-found", ""},
		{"put: new, but there", "PUT", "/admin/apps/two", good, []string{"If-None-Match", `*`}, 409, "conflict", ""},
		{"put: strange if-none-match", "PUT", "/admin/apps/two", good, []string{"If-None-Match", `"a"`}, 400, "bad-request", ""},

		{"delete: not there", "DELETE", "/admin/apps/nope", "", nil, 404, "not-found", `"nope"`},
		{"delete: of a file", "DELETE", "/admin/apps/one", "", nil, 409, "foreign", "etc/nano.toml"},
		{"delete: stale", "DELETE", "/admin/apps/two", "", []string{"If-Match", `"00"`}, 412, "stale", ""},
		{"delete: body", "DELETE", "/admin/apps/two", "{}", nil, 400, "bad-request", ""},

		{"reload: not there", "POST", "/admin/apps/nope/reload", "", nil, 404, "not-found", ""},
		{"reload: body", "POST", "/admin/apps/two/reload", "{}", nil, 400, "bad-request", ""},
		{"enable: not there", "POST", "/admin/apps/nope/enable", "", nil, 404, "not-found", ""},
		{"enable: stale", "POST", "/admin/apps/two/enable", "", []string{"If-Match", `"00"`}, 412, "stale", ""},
		{"disable: not there", "POST", "/admin/apps/nope/disable", "", nil, 404, "not-found", ""},
		{"disable: of a file", "POST", "/admin/apps/one/disable", "", nil, 409, "foreign", ""},
		{"disable: stale", "POST", "/admin/apps/two/disable", "", []string{"If-Match", `"00"`}, 412, "stale", ""},

		{"logs: not there", "GET", "/admin/apps/nope/logs", "", nil, 404, "not-found", ""},
		{"logs: level", "GET", "/admin/apps/two/logs?level=loud", "", nil, 400, "bad-request", "loud"},
		{"logs: lines", "GET", "/admin/apps/two/logs?lines=-1", "", nil, 400, "bad-request", "-1"},
		{"logs: lines of letters", "GET", "/admin/apps/two/logs?lines=x", "", nil, 400, "bad-request", ""},
		{"logs: follow", "GET", "/admin/apps/two/logs?follow=maybe", "", nil, 400, "bad-request", "maybe"},
		{"logs: parameter", "GET", "/admin/apps/two/logs?tail=1", "", nil, 400, "bad-request", "tail"},
		{"big reload: body", "POST", "/admin/reload", "{}", nil, 400, "bad-request", ""},
		{"status: parameter", "GET", "/admin/status?x", "", nil, 400, "bad-request", ""},
		{"events: parameter", "GET", "/admin/events?x", "", nil, 400, "bad-request", ""},
		{"metrics: parameter", "GET", "/admin/metrics?x", "", nil, 400, "bad-request", ""},
	}
	before := b.send("GET", "/admin/apps/two", "").Header().Get("ETag")
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := b.send(test.method, test.path, test.body, test.header...)
			var e admin.Error
			if err := json.Unmarshal(w.Body.Bytes(), &e); err != nil || w.Header().Get("Content-Type") != "application/problem+json" {
				t.Fatalf("no problem: %d %v %s", w.Code, w.Header(), w.Body)
			}
			said := e.Detail
			for _, p := range e.Problems {
				said += "\n" + p.String()
			}
			if w.Code != test.status || e.Status != test.status || e.Type != test.slug || e.Title == "" || !strings.Contains(said, test.text) {
				t.Errorf("got %d %q: %s", w.Code, e.Type, said)
			}
		})
	}
	if after := b.send("GET", "/admin/apps/two", "").Header().Get("ETag"); after != before {
		t.Error("something was changed")
	}
	if list := ok[admin.List](b, "GET", "/admin/apps", ""); len(list.Apps) != 2 {
		t.Errorf("%d apps", len(list.Apps))
	}
}

// TestReloadRefused tells all that is wrong.
func TestReloadRefused(t *testing.T) {
	b := begin(t, files)
	b.write("-- etc/nano.toml --\n[apps.one]\nhost = 1\n[server]\nport = 80\n")
	w := b.send("POST", "/admin/reload", "")
	var e admin.Error
	if err := json.Unmarshal(w.Body.Bytes(), &e); err != nil || w.Code != 422 || e.Type != admin.TypeReload || len(e.Problems) < 2 {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
	if _, got := b.public("one.test", "/"); got != "one" {
		t.Errorf("got %q", got)
	}
}

// TestNotPublic asks the public port for the API under many names: apps answer, or
// nobody does.
func TestNotPublic(t *testing.T) {
	b := begin(t, files)
	for _, host := range []string{"one.test", "localhost", "nano", "127.0.0.1", b.front, "admin", "one.test."} {
		for _, path := range []string{"/admin/apps", "/admin/status", "/admin/metrics", "//admin/apps", "/%61dmin/apps", "/../admin/apps", "/admin/apps/one/reload"} {
			status, body := b.public(host, path)
			want := fmt.Sprint(200, "one")
			if !strings.HasPrefix(host, "one.test") {
				want = fmt.Sprint(404, "no app has this host\n")
			}
			if got := fmt.Sprint(status, body); got != want {
				t.Errorf("%s%s: got %q", host, path, got)
			}
		}
	}
}

// TestWriters checks that the rows of the API that change something are logged, and the
// others aren't.
func TestWriters(t *testing.T) {
	b := begin(t, files)
	b.send("GET", "/admin/apps", "")
	b.send("DELETE", "/admin/apps/nope", "")
	b.send("POST", "/admin/apps/nope/reload", "")
	b.log.Await(t, `"admin write"`, "/nope/reload", `"uid":1234`)
	var got []string
	for line := range strings.Lines(b.log.String()) {
		var l struct {
			Msg, Method string
			Status      int
		}
		if json.Unmarshal([]byte(line), &l) == nil && l.Msg == "admin write" {
			got = append(got, fmt.Sprint(l.Method, " ", l.Status))
		}
	}
	if d := cmp.Diff([]string{"DELETE 404", "POST 404"}, got); d != "" {
		t.Error(d)
	}
}
