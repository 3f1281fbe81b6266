package admin_test

import (
	"bufio"
	"context"
	"encoding/json"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nano-runtime/nano/admin"
	"github.com/nano-runtime/nano/control"
	"github.com/nano-runtime/nano/internal/await"
	"github.com/nano-runtime/nano/journal"
)

func TestLogs(t *testing.T) {
	b := begin(t, files)
	client := admin.NewClient(b.socket())
	b.public("one.test", "/first")
	b.log.Await(t, "asked for http://one.test/first")
	lines := func(q admin.LogQuery) (texts []string) {
		t.Helper()
		err := client.Logs(t.Context(), "one", q, func(l journal.Line) error {
			texts = append(texts, l.Text)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return texts
	}
	if got := lines(admin.LogQuery{Lines: 100}); !slices.Contains(got, "asked for http://one.test/first") || !slices.Contains(got, "app added") {
		t.Errorf("got %q", got)
	}
	if got := lines(admin.LogQuery{Lines: 100, Level: "warn"}); len(got) != 0 {
		t.Errorf("got %q", got)
	}
	if got := lines(admin.LogQuery{Lines: 1}); len(got) != 1 {
		t.Errorf("got %q", got)
	}
}

// TestFollow sees lines as they come, and ends when the process drains.
func TestFollow(t *testing.T) {
	b := begin(t, files)
	client := admin.NewClient(b.socket())
	got := make(chan journal.Line)
	ended := make(chan error, 1)
	go func() {
		ended <- client.Logs(t.Context(), "one", admin.LogQuery{Follow: true, Lines: 10}, func(l journal.Line) error {
			got <- l
			return nil
		})
	}()
	await := func(text string) {
		t.Helper()
		for end := time.After(await.Deadline); ; {
			select {
			case l := <-got:
				if strings.Contains(l.Text, text) {
					return
				}
			case <-end:
				t.Fatalf("no line %q came", text)
			}
		}
	}
	await("app added")
	b.public("one.test", "/now")
	await("asked for http://one.test/now")
	close(b.draining)
	if err := <-ended; err != nil {
		t.Errorf("the end: %v", err)
	}
}

func TestEvents(t *testing.T) {
	b := begin(t, files)
	socket := b.socket()
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}}
	defer transport.CloseIdleConnections()
	r, err := http.NewRequestWithContext(t.Context(), "GET", "http://localhost/admin/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := transport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if ct := res.Header.Get("Content-Type"); ct != "text/event-stream" {
		t.Errorf("Content-Type %q", ct)
	}
	b.send("POST", "/admin/apps", `{"name": "two", "hosts": ["two.test"], "root": "DIR/two"}`)
	lines := bufio.NewScanner(res.Body)
	for _, want := range []string{"added", "reload"} {
		var e control.Event
		for lines.Scan() && lines.Text() != "" {
			if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
				if err := json.Unmarshal([]byte(data), &e); err != nil {
					t.Fatal(err)
				}
			}
		}
		if e.Type != want || e.By != "api uid=1234" || want == "added" && (e.App != "two" || e.Version != 1) {
			t.Errorf("got %+v, want %s", e, want)
		}
	}
	close(b.draining)
	for lines.Scan() {
	}
	if err := lines.Err(); err != nil {
		t.Errorf("the end: %v", err)
	}
}

// TestHalfRequests breaks off requests half-way: nothing is changed, and the API goes on.
func TestHalfRequests(t *testing.T) {
	b := begin(t, files)
	socket := b.socket()
	const body = `{"name": "two", "hosts": ["two.test"], "root": "DIR/two"}`
	whole := "POST /admin/apps HTTP/1.1\r\nHost: localhost\r\nContent-Length: 200\r\n\r\n" + b.text(body)
	for _, request := range []string{
		whole[:20], whole[:60], whole,
		"POST /admin/apps HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n10\r\n{\"name",
		"DELETE /admin/apps/one",
	} {
		nc, err := net.Dial("unix", socket)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := nc.Write([]byte(request)); err != nil {
			t.Fatal(err)
		}
		if err := nc.(*net.UnixConn).CloseWrite(); err != nil {
			t.Fatal(err)
		}
		res, err := http.ReadResponse(bufio.NewReader(nc), nil)
		if err == nil && res.StatusCode < 400 {
			t.Errorf("%q: got %s", request, res.Status)
		}
		_ = nc.Close()
	}
	if list := ok[admin.List](b, "GET", "/admin/apps", ""); len(list.Apps) != 1 {
		t.Errorf("%d apps", len(list.Apps))
	}
	// One who goes away after the whole of it gets it done.
	nc, err := net.Dial("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	text := b.text(body)
	if _, err := nc.Write([]byte("POST /admin/apps HTTP/1.1\r\nHost: localhost\r\nContent-Length: " + strconv.Itoa(len(text)) + "\r\n\r\n" + text)); err != nil {
		t.Fatal(err)
	}
	b.log.Await(t, "app added", `"app":"two"`)
	_ = nc.Close()
	if status, _ := b.public("two.test", "/"); status != 200 {
		t.Errorf("got %d", status)
	}
}
