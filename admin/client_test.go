package admin

import (
	"errors"
	"io"
	"io/fs"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/nano-runtime/nano/journal"
)

// fake answers in the place of a daemon, and notes what it was asked.
type fake struct {
	asked   []string
	answers []string // status and type, a blank line, and the body; the last one stays
}

func (f *fake) RoundTrip(r *http.Request) (*http.Response, error) {
	line := r.Method + " " + r.URL.RequestURI()
	for _, name := range []string{"If-Match", "Content-Type"} {
		if v := r.Header.Get(name); v != "" {
			line += " " + v
		}
	}
	if r.Body != nil {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		line += " " + string(body)
	}
	f.asked = append(f.asked, line)
	head, body, _ := strings.Cut(f.answers[0], "\n\n")
	if len(f.answers) > 1 {
		f.answers = f.answers[1:]
	}
	if head == "broken" {
		return nil, io.ErrUnexpectedEOF
	}
	status, media, _ := strings.Cut(head, " ")
	code := map[string]int{"200": 200, "201": 201, "404": 404, "412": 412, "422": 422, "500": 500, "503": 503}[status]
	return &http.Response{StatusCode: code, Status: status + " " + http.StatusText(code), Header: http.Header{"Content-Type": {media}}, Body: io.NopCloser(strings.NewReader(body))}, nil
}

func fakeClient(answers ...string) (*Client, *fake) {
	f := &fake{answers: answers}
	return &Client{&http.Client{Transport: f}}, f
}

const problem = " application/problem+json\n\n"

// TestClientRequests checks what each method sends.
func TestClientRequests(t *testing.T) {
	tests := []struct {
		name string
		call func(*Client) error
		want string
	}{
		{"apps", func(c *Client) error { _, err := c.Apps(t.Context()); return err }, "GET /admin/apps"},
		{"app", func(c *Client) error { _, err := c.App(t.Context(), "a/../b"); return err }, "GET /admin/apps/a%2F%2E%2E%2Fb"},
		{"add", func(c *Client) error { _, err := c.Add(t.Context(), []byte("{}")); return err }, "POST /admin/apps application/json {}"},
		{"put", func(c *Client) error { _, err := c.Put(t.Context(), "a", []byte("{}"), "77"); return err }, `PUT /admin/apps/a "77" application/json {}`},
		{"put anyway", func(c *Client) error { _, err := c.Put(t.Context(), "a", []byte("{}"), ""); return err }, "PUT /admin/apps/a application/json {}"},
		{"remove", func(c *Client) error { _, err := c.Remove(t.Context(), "a", "77"); return err }, `DELETE /admin/apps/a "77"`},
		{"reload app", func(c *Client) error { _, err := c.ReloadApp(t.Context(), "a"); return err }, "POST /admin/apps/a/reload"},
		{"enable", func(c *Client) error { _, err := c.Enable(t.Context(), "a"); return err }, "POST /admin/apps/a/enable"},
		{"disable", func(c *Client) error { _, err := c.Disable(t.Context(), "a"); return err }, "POST /admin/apps/a/disable"},
		{"reload", func(c *Client) error { _, err := c.Reload(t.Context()); return err }, "POST /admin/reload"},
		{"status", func(c *Client) error { _, err := c.Status(t.Context()); return err }, "GET /admin/status"},
		{"logs", func(c *Client) error {
			return c.Logs(t.Context(), "a", LogQuery{Follow: true, Level: "warn", Lines: 5}, func(journal.Line) error { return nil })
		}, "GET /admin/apps/a/logs?follow=1&level=warn&lines=5"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c, f := fakeClient("200 application/json\n\n{}")
			if err := test.call(c); err != nil {
				t.Error(err)
			}
			if d := cmp.Diff([]string{test.want}, f.asked); d != "" {
				t.Error(d)
			}
		})
	}
}

// TestClientAnswers feeds the client with answers of all kinds.
func TestClientAnswers(t *testing.T) {
	tests := []struct {
		name    string
		answers []string
		asked   int
		want    string // of the error; "": none
	}{
		{"good", []string{"200 application/json\n\n{\"apps\":[]}"}, 1, ""},
		{"problem", []string{"404" + problem + `{"type":"not-found","detail":"there is no app"}`}, 1, "there is no app"},
		{"problem without detail", []string{"404" + problem + `{"type":"not-found","title":"Not Found"}`}, 1, "Not Found"},
		{"problem that is none", []string{"404" + problem + `<html>`}, 1, "the daemon answered 404 Not Found: <html>"},
		{"another's error", []string{"500 text/plain\n\nBoom\n"}, 1, "the daemon answered 500 Internal Server Error: Boom"},
		{"cut short", []string{"200 application/json\n\n{\"apps\":["}, 1, "cannot read the daemon's answer: unexpected EOF"},
		{"wrong type", []string{"200 application/json\n\n[]"}, 1, "cannot read the daemon's answer"},
		{"broken off", []string{"broken"}, 1, "cannot ask the daemon: unexpected EOF"},
		{"handed over", []string{"503" + problem + `{"type":"handed-over"}`, "503" + problem + `{"type":"handed-over"}`, "200 application/json\n\n{}"}, 3, ""},
		{"other 503", []string{"503" + problem + `{"type":"unavailable","detail":"busy"}`}, 1, "busy"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c, f := fakeClient(test.answers...)
			_, err := c.Apps(t.Context())
			if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
				t.Errorf("got %v, want %q", err, test.want)
			}
			if len(f.asked) != test.asked {
				t.Errorf("asked %d times, want %d", len(f.asked), test.asked)
			}
		})
	}
	var e *Error
	c, _ := fakeClient("412" + problem + `{"type":"stale","status":412,"problems":[{"file":"f","line":1,"column":2,"message":"m"}]}`)
	if _, err := c.Apps(t.Context()); !errors.As(err, &e) || e.Type != TypeStale || len(e.Problems) != 1 {
		t.Errorf("got %v", err)
	}
	c, _ = fakeClient("200 application/x-ndjson\n\n{\"text\":\"a\"}\n{\"text\":")
	var got []string
	err := c.Logs(t.Context(), "a", LogQuery{}, func(l journal.Line) error { got = append(got, l.Text); return nil })
	if err == nil || len(got) != 1 {
		t.Errorf("got %v and %q", err, got)
	}
}

func TestNoDaemon(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	_, err := NewClient(path).Status(t.Context())
	var dial *DialError
	if !errors.As(err, &dial) || dial.Socket != path || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}
