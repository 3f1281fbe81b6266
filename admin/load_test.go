package admin_test

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nano-runtime/nano/admin"
	"github.com/nano-runtime/nano/internal/await"
)

// loadFiles are five apps that are under load while they and others change.
const loadFiles = `
-- etc/nano.toml --
CONFIG
-- hot/index.js --
export default { fetch: () => new Response("hot 0") }
-- left/index.js --
export default { fetch: () => new Response("left") }
-- right/index.js --
export default { fetch: () => new Response("right") }
-- steady/index.js --
export default { async fetch(r) { return new Response("steady " + await r.text()) } }
-- ticks/index.js --
export default { fetch(r) {
	if (new URL(r.url).pathname !== "/stream") return new Response("ticks")
	let n = 0, timer
	const encoder = new TextEncoder()
	return new Response(new ReadableStream({
		start(c) { timer = setInterval(() => c.enqueue(encoder.encode("data: " + n++ + "\n\n")), 20) },
		cancel() { clearInterval(timer) },
	}), { headers: { "content-type": "text/event-stream" } })
}}
-- guest/index.js --
export default { fetch: (r, env) => new Response("guest " + env.N) }
`

// loadConfig is the configuration of the five; left and right may have swapped hosts,
// and n makes it another file.
func loadConfig(swapped bool, n int) string {
	left, right := "left", "right"
	if swapped {
		left, right = right, left
	}
	return fmt.Sprintf(`[server]
watch = false
[apps.hot]
hosts = ["hot.test"]
root = "../hot"
[apps.left]
hosts = ["%s.test"]
root = "../left"
[apps.right]
hosts = ["%s.test"]
root = "../right"
[apps.steady]
hosts = ["steady.test"]
root = "../steady"
env = { N = %d }
[apps.ticks]
hosts = ["ticks.test"]
root = "../ticks"
`, left, right, n)
}

// load is what the clients expect at each moment, and what they found.
type load struct {
	b *bench

	hotFrom, hotTo atomic.Int64 // the versions of hot that may answer
	swaps          atomic.Int64 // steps of swapping: even, a side is sure; odd, either may answer
	stop           chan struct{}

	requests, ticks atomic.Int64
	mu              sync.Mutex
	failures        []string
}

func (l *load) fail(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.failures) < 20 {
		l.failures = append(l.failures, fmt.Sprintf(format, args...))
	}
}

// TestChangesUnderLoad changes apps in every way while 32 connections that are never
// replaced ask all five: every answer is right for its moment, and streams stay open.
func TestChangesUnderLoad(t *testing.T) {
	reloads, visits, configs := 200, 50, 20
	if testing.Short() {
		reloads, visits, configs = 40, 10, 6
	}
	l := &load{b: begin(t, strings.Replace(loadFiles, "CONFIG", loadConfig(false, 0), 1)), stop: make(chan struct{})}
	var clients, changes sync.WaitGroup
	for range 32 {
		clients.Go(l.client)
	}
	const streams = 4
	for range streams {
		clients.Go(l.stream)
	}
	began := time.Now()
	changes.Go(func() { l.reloadHot(reloads) })
	changes.Go(func() { l.visit(visits) })
	changes.Go(func() { l.reloadAll(configs) })
	changes.Wait()
	took := time.Since(began)
	close(l.stop)
	clients.Wait()
	for _, f := range l.failures {
		t.Error(f)
	}
	if l.ticks.Load() < streams {
		t.Errorf("%d ticks of %d streams", l.ticks.Load(), streams)
	}
	hot := ok[admin.Detail](l.b, "GET", "/admin/apps/hot", "")
	if hot.Version <= reloads || hot.Errors != 0 {
		t.Errorf("hot: version %d, %d errors", hot.Version, hot.Errors)
	}
	t.Logf("%d requests and %d ticks in %s, during %d reloads, %d visits, %d configurations", l.requests.Load(), l.ticks.Load(), took.Round(time.Millisecond), reloads, visits, configs)
}

// client asks one app after the other on one connection, and never retries.
func (l *load) client() {
	nc, err := net.Dial("tcp", l.b.front)
	if err != nil {
		l.fail("dial: %v", err)
		return
	}
	defer nc.Close()
	r := bufio.NewReader(nc)
	for {
		select {
		case <-l.stop:
			return
		case <-time.After(time.Duration(rand.IntN(10000)) * time.Microsecond):
		}
		if !l.ask(nc, r) {
			return
		}
		l.requests.Add(1)
	}
}

// ask sends a request and checks the answer; false where the connection is of no more
// use.
func (l *load) ask(nc net.Conn, r *bufio.Reader) bool {
	host := []string{"hot", "left", "right", "steady", "ticks"}[rand.IntN(5)]
	method, payload := "GET", ""
	if host == "steady" {
		method, payload = "POST", strings.Repeat("x", rand.IntN(200))
	}
	from, step := l.hotFrom.Load(), l.swaps.Load()
	_ = nc.SetDeadline(time.Now().Add(await.Deadline)) // an error shows at once
	if _, err := fmt.Fprintf(nc, "%s / HTTP/1.1\r\nHost: %s.test\r\nContent-Length: %d\r\n\r\n%s", method, host, len(payload), payload); err != nil {
		l.fail("%s: send: %v", host, err)
		return false
	}
	res, err := http.ReadResponse(r, nil)
	if err != nil {
		l.fail("%s: %v", host, err)
		return false
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK || res.Close {
		l.fail("%s: %s, close %t, body %q, %v", host, res.Status, res.Close, body, err)
		return err == nil && !res.Close
	}
	if !l.right(host, string(body), payload, from, step) {
		l.fail("%s: wrong body %q", host, body)
	}
	return true
}

// right reports whether an app may answer like that; from and step are as they were when
// the request was sent.
func (l *load) right(host, body, payload string, from, step int64) bool {
	switch host {
	case "hot":
		n, err := strconv.ParseInt(strings.TrimPrefix(body, "hot "), 10, 64)
		return err == nil && n >= from && n <= l.hotTo.Load()
	case "steady":
		return body == "steady "+payload
	case "ticks":
		return body == "ticks"
	}
	if step%2 == 1 || l.swaps.Load() != step {
		return body == "left" || body == "right"
	}
	swapped := step/2%2 == 1
	return (body == host) != swapped
}

// stream reads events until the end of the test, from one response.
func (l *load) stream() {
	nc, err := net.Dial("tcp", l.b.front)
	if err != nil {
		l.fail("dial: %v", err)
		return
	}
	defer nc.Close()
	if _, err := io.WriteString(nc, "GET /stream HTTP/1.1\r\nHost: ticks.test\r\n\r\n"); err != nil {
		l.fail("stream: %v", err)
		return
	}
	res, err := http.ReadResponse(bufio.NewReader(nc), nil)
	if err != nil {
		l.fail("stream: %v", err)
		return
	}
	lines := bufio.NewScanner(res.Body)
	for n := 0; ; {
		select {
		case <-l.stop:
			return
		default:
		}
		_ = nc.SetDeadline(time.Now().Add(await.Deadline))
		if !lines.Scan() {
			l.fail("stream: ended after %d ticks: %v", n, lines.Err())
			return
		}
		if lines.Text() == "" {
			continue
		}
		if want := fmt.Sprintf("data: %d", n); lines.Text() != want {
			l.fail("stream: got %q, want %q", lines.Text(), want)
			return
		}
		n++
		l.ticks.Add(1)
	}
}

// reloadHot changes the code of one app and has it loaded.
func (l *load) reloadHot(times int) {
	for n := 1; n <= times; n++ {
		l.hotTo.Store(int64(n)) // whoever reads the file may load it
		l.b.replace("hot/index.js", fmt.Sprintf("export default { fetch: () => new Response(\"hot %d\") }\n", n))
		if w := l.b.send("POST", "/admin/apps/hot/reload", ""); w.Code != http.StatusOK {
			l.fail("reload: %d %s", w.Code, w.Body)
		}
		l.hotFrom.Store(int64(n))
	}
}

// visit adds an app, asks it, and removes it.
func (l *load) visit(times int) {
	for n := range times {
		w := l.b.send("POST", "/admin/apps", fmt.Sprintf(`{"name": "guest", "hosts": ["guest.test"], "root": "DIR/guest", "env": {"N": %d}}`, n))
		if w.Code != http.StatusCreated {
			l.fail("add: %d %s", w.Code, w.Body)
		}
		if status, body := l.b.public("guest.test", "/"); status != http.StatusOK || body != fmt.Sprintf("guest %d", n) {
			l.fail("guest: %d %q", status, body)
		}
		if w := l.b.send("DELETE", "/admin/apps/guest", ""); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), `"drained": true`) {
			l.fail("remove: %d %s", w.Code, w.Body)
		}
		if status, _ := l.b.public("guest.test", "/"); status != http.StatusNotFound {
			l.fail("guest after it left: %d", status)
		}
	}
}

// reloadAll changes the configuration: two apps swap hosts, and one gets other settings.
func (l *load) reloadAll(times int) {
	for n := 1; n <= times; n++ {
		l.swaps.Add(1)
		l.b.replace("etc/nano.toml", loadConfig(n%2 == 1, n))
		if w := l.b.send("POST", "/admin/reload", ""); w.Code != http.StatusOK {
			l.fail("reload: %d %s", w.Code, w.Body)
		}
		l.swaps.Add(1)
	}
}
