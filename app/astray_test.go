package app_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nano-runtime/nano/internal/await"
)

// crowd asks for target from many connections until told to end, and reports what was not
// a 200.
func (h *host) crowd(clients int, target string) (end func() (good int64, bad map[string]int)) {
	var group sync.WaitGroup
	var mu sync.Mutex
	var answered atomic.Int64
	failed := map[string]int{}
	stop := make(chan struct{})
	for range clients {
		group.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				res, err := client.Do(h.request("GET", "test", target, nil))
				what := ""
				if err != nil {
					what = err.Error()
				} else {
					body, _ := io.ReadAll(res.Body)
					_ = res.Body.Close()
					if res.StatusCode != http.StatusOK {
						what = res.Status + ": " + string(body)
					}
				}
				answered.Add(1)
				if what != "" {
					mu.Lock()
					failed[what]++
					mu.Unlock()
				}
			}
		})
	}
	return func() (int64, map[string]int) {
		close(stop)
		group.Wait()
		return answered.Load(), failed
	}
}

// Requests that JavaScript hasn't seen don't suffer when their isolate is lost to another.
func TestLossSparesOthers(t *testing.T) {
	h := start(t, one(`limits = { cpu = "20ms" }`, `export default { fetch(request) {
		if (request.url.endsWith("/loop")) for (;;);
		return new Response("ok");
	} }`))
	end := h.crowd(24, "/ok")
	for range 2 { // the third time a request is told
		if status, body := h.get("test", "/loop"); status != http.StatusServiceUnavailable {
			t.Errorf("the loop: %d %s", status, body)
		}
	}
	if good, bad := end(); len(bad) > 0 {
		t.Errorf("of %d requests beside it: %v", good, bad)
	}
}

// Nor when it is replaced, at a time when they wait for their turn.
func TestReloadSparesThoseInLine(t *testing.T) {
	h := start(t, one(`limits = { concurrency = 1 }`, `export default { fetch() {
		let x = 0;
		for (let i = 0; i < 100000; i++) x += i;
		return new Response("ok");
	} }`))
	end := h.crowd(8, "/")
	for range 200 {
		h.apply("test")
	}
	if good, bad := end(); len(bad) > 0 {
		t.Errorf("of %d requests: %v", good, bad)
	}
}

// The timeout counts while the body comes.
func TestTimeoutOfSlowBody(t *testing.T) {
	h := start(t, one(`limits = { timeout = "300ms", concurrency = 1 }`, `export default {
		async fetch(request) { return new Response(await request.text()) }
	}`))
	for _, size := range []int{60_000, 70_000} {
		nc, err := net.Dial("tcp", h.addr)
		if err != nil {
			t.Fatal(err)
		}
		defer nc.Close()
		_ = nc.SetDeadline(time.Now().Add(time.Minute))
		if _, err := fmt.Fprintf(nc, "POST / HTTP/1.1\r\nHost: test\r\nContent-Length: %d\r\n\r\nx", size); err != nil {
			t.Fatal(err)
		}
		got := make([]byte, 12)
		if _, err := io.ReadFull(nc, got); err != nil || string(got) != "HTTP/1.1 504" {
			t.Errorf("a body of %d bytes that doesn't come: %q, %v", size, got, err)
		}
		if status, body := h.get("test", "/"); status != http.StatusOK {
			t.Errorf("and then another request: %d %s", status, body)
		}
	}
}

// An app may answer while it still reads the body, over HTTP/2, too.
func TestAnswerBeforeBody(t *testing.T) {
	h := start(t, one(``, `export default { fetch(request) {
		request.body.getReader().read().catch(() => {});
		return new Response("ok");
	} }`))
	for _, test := range []struct {
		name     string
		requests int // of each client
		speak    func(*http.Protocols)
	}{
		{"HTTP/1", 20, func(p *http.Protocols) { p.SetHTTP1(true) }},
		{"HTTP/2", 500, func(p *http.Protocols) { p.SetUnencryptedHTTP2(true) }},
	} {
		t.Run(test.name, func(t *testing.T) {
			var p http.Protocols
			test.speak(&p)
			transport := &http.Transport{Protocols: &p}
			defer transport.CloseIdleConnections()
			var group sync.WaitGroup
			for range 8 {
				group.Go(func() {
					for range test.requests {
						body, upload := io.Pipe()
						go func() { _, _ = upload.Write([]byte("some")) }()
						res, err := transport.RoundTrip(h.request("POST", "test", "/", body))
						if err == nil {
							_, err = io.Copy(io.Discard, res.Body)
							_ = res.Body.Close()
						}
						_ = upload.Close()
						if err != nil {
							t.Error(err)
							return
						}
					}
				})
			}
			group.Wait()
		})
	}
}

// What clients break off leaves nothing in JavaScript's heap.
func TestBrokenOffDownloads(t *testing.T) {
	h := start(t, one(`limits = { cpu = "1s", concurrency = 1000 }`, `export default { fetch(request) {
		const chunk = new Uint8Array(1000);
		let left = request.url.endsWith("/ends") ? 255 : Infinity;
		return new Response(new ReadableStream({ pull(c) { c.enqueue(chunk.slice()); if (--left === 0) c.close(); } }));
	} }`))
	round := func() int64 {
		var group sync.WaitGroup
		for n := range 8 {
			target := []string{"/", "/ends"}[n%2]
			group.Go(func() {
				for range 25 {
					nc, err := net.Dial("tcp", h.addr)
					if err != nil {
						t.Error(err)
						return
					}
					_ = nc.(*net.TCPConn).SetReadBuffer(2048)
					_, _ = io.WriteString(nc, strings.Repeat("GET "+target+" HTTP/1.1\r\nHost: test\r\n\r\n", 4))
					_, _ = io.ReadFull(nc, make([]byte, 1000))
					_ = nc.Close()
				}
			})
		}
		group.Wait()
		await.That(t, "the end of the downloads", func() bool { return h.set.App("test").Stats().InFlight == 0 })
		return h.set.App("test").Heap()
	}
	first := round()
	for range 3 {
		round()
	}
	await.That(t, "a heap as after the first round", func() bool { return h.set.App("test").Heap() < first+1<<20 })
}

// A thread that had to be given up because JavaScript didn't end serves no client when it
// has come back after all.
func TestThreadThatComesBack(t *testing.T) {
	h := start(t, one(`limits = { cpu = "20ms", memory = "2GiB" }`, `export default { fetch(request) {
		if (request.url.endsWith("/sort")) new Float64Array(3e7).sort();
		return new Response("ok");
	} }`))
	for range 500 { // so that it runs on the goroutine of who serves clients
		h.get("test", "/")
	}
	if status, _ := h.get("test", "/sort"); status != http.StatusServiceUnavailable {
		t.Errorf("the app that doesn't end: %d", status)
	}
	await.That(t, "the thread's abandonment", func() bool { return h.log.Contains("cause=abandoned") })
	await.That(t, "its end, or its arrest", func() bool { return slowThreads(t) == 0 })
	stacks := make([]byte, 1<<20)
	for _, stack := range strings.Split(string(stacks[:runtime.Stack(stacks, true)]), "\n\n") {
		if strings.Contains(stack, "[chan receive, locked to thread") {
			t.Errorf("a goroutine waits with it for more to do:\n%s", stack)
		}
	}
}

// slowThreads is how many of the process's threads run at a low priority; see
// proc_pid_stat(5).
func slowThreads(t *testing.T) (n int) {
	t.Helper()
	files, err := filepath.Glob("/proc/self/task/*/stat")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			continue // it has ended
		}
		fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
		if fields[0] == "R" && fields[16] != "0" {
			n++
		}
	}
	return n
}
