package daemon

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nano-runtime/nano/internal/await"
)

// hasty makes the front end lose its patience soon.
func hasty(f *Front) {
	f.times = times{
		tick:     10 * time.Millisecond,
		head:     150 * time.Millisecond,
		idle:     300 * time.Millisecond,
		linger:   300 * time.Millisecond,
		window:   200 * time.Millisecond,
		progress: 1024,
	}
}

// trickle sends a byte now and then until the server has had enough, and returns what
// it said.
func trickle(t *testing.T, nc net.Conn, text string) string {
	t.Helper()
	go func() {
		for i := range len(text) {
			if _, err := nc.Write([]byte{text[i]}); err != nil {
				return
			}
			time.Sleep(20 * time.Millisecond)
		}
	}()
	answer, err := io.ReadAll(nc)
	if err != nil {
		t.Fatalf("after %q: %v", answer, err)
	}
	_ = nc.Close()
	return string(answer)
}

func TestSlowHead(t *testing.T) {
	_, addr := serveTuned(t, FrontOptions{Handler: echo}, hasty)
	nc := dial(t, addr)
	answer := trickle(t, nc, "GET / HTTP/1.1\r\nHost: a\r\nA: "+strings.Repeat("x", 1000))
	if got := statuses(t, answer); len(got) != 1 || got[0] != 408 {
		t.Errorf("got %q", answer)
	}
}

func TestSilence(t *testing.T) {
	_, addr := serveTuned(t, FrontOptions{Handler: echo}, hasty)
	for _, first := range []string{"", "GET / HTTP/1.1\r\nHost: a\r\n\r\n"} {
		nc := dial(t, addr)
		if _, err := io.WriteString(nc, first); err != nil {
			t.Fatal(err)
		}
		answer, err := io.ReadAll(nc)
		if err != nil {
			t.Fatal(err)
		}
		if got := statuses(t, string(answer)); len(got) != min(1, len(first)) {
			t.Errorf("after %q: got %q", first, answer)
		}
		_ = nc.Close()
	}
}

func TestSlowBody(t *testing.T) {
	for _, fields := range []string{"Content-Length: 1000\r\n", "Transfer-Encoding: chunked\r\n"} {
		failed := make(chan error, 1)
		_, addr := serveTuned(t, FrontOptions{Handler: func(x *Exchange) {
			_, err := io.Copy(io.Discard, x.Body)
			failed <- err
			_ = x.Respond(BodyStatus(err), nil, nil)
		}}, hasty)
		nc := dial(t, addr)
		if _, err := io.WriteString(nc, "POST / HTTP/1.1\r\nHost: a\r\n"+fields+"\r\n"); err != nil {
			t.Fatal(err)
		}
		answer := trickle(t, nc, strings.Repeat("1\r\na\r\n", 200))
		if got := statuses(t, answer); len(got) != 1 || got[0] != 408 {
			t.Errorf("got %q", answer)
		}
		if err := <-failed; BodyStatus(err) != 408 {
			t.Errorf("reading the body: %v, want a time-out", err)
		}
	}
}

// A body of which the handler has not asked for more is not slow.
func TestSlowHandler(t *testing.T) {
	_, addr := serveTuned(t, FrontOptions{Handler: func(x *Exchange) {
		for range 5 {
			if _, err := io.ReadFull(x.Body, make([]byte, 10)); err != nil {
				t.Error(err)
			}
			time.Sleep(200 * time.Millisecond)
		}
		_ = x.Respond(200, nil, nil)
	}}, hasty)
	answer := talk(t, addr, "POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 50\r\n\r\n"+strings.Repeat("x", 50))
	if got := statuses(t, answer); len(got) != 1 || got[0] != 200 {
		t.Errorf("got %q", answer)
	}
}

func TestSlowReader(t *testing.T) {
	wrote := make(chan error, 1)
	_, addr := serveTuned(t, FrontOptions{Handler: func(x *Exchange) {
		_ = x.Start(200, nil)
		for {
			if _, err := x.Write(make([]byte, 64<<10)); err != nil {
				<-x.Context().Done()
				wrote <- err
				return
			}
		}
	}}, hasty)
	nc := dial(t, addr)
	if _, err := io.WriteString(nc, "GET / HTTP/1.1\r\nHost: a\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if err := <-wrote; !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("got %v, want a time-out", err)
	}
}

// One that takes its time, but takes, gets everything.
func TestUnhurriedReader(t *testing.T) {
	const size = 8 << 20
	_, addr := serveTuned(t, FrontOptions{Handler: func(x *Exchange) {
		_ = x.Respond(200, nil, make([]byte, size))
	}}, hasty)
	nc := dial(t, addr)
	if err := nc.(*net.TCPConn).SetReadBuffer(64 << 10); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(nc, "GET / HTTP/1.1\r\nHost: a\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	res, err := http.ReadResponse(bufio.NewReader(nc), nil)
	if err != nil {
		t.Fatal(err)
	}
	got := 0
	for buf := make([]byte, 128<<10); got < size; time.Sleep(10 * time.Millisecond) {
		n, err := io.ReadFull(res.Body, buf)
		got += n
		if err != nil {
			t.Fatalf("after %d bytes: %v", got, err)
		}
	}
}

func TestThousandsOfIdleConnections(t *testing.T) {
	const crowd = 4000
	f, addr := serveFront(t, named("a"))
	if f.limits.conns < crowd {
		t.Fatalf("the system allows only %d connections", f.limits.conns)
	}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	conns := make([]net.Conn, crowd)
	for i := range conns {
		nc, err := net.Dial("tcp", addr.String())
		if err != nil {
			t.Fatal(err)
		}
		defer nc.Close()
		conns[i] = nc
		if i%2 == 0 {
			continue
		}
		if _, err := io.WriteString(nc, "GET / HTTP/1.1\r\nHost: a\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		if _, err := nc.Read(make([]byte, 1000)); err != nil {
			t.Fatal(err)
		}
	}
	await.That(t, "all connections", func() bool { return f.Stats().Connections == crowd })
	runtime.GC()
	runtime.ReadMemStats(&after)
	// The client's side is in this, too.
	if each := int64(after.HeapAlloc+after.StackInuse-before.HeapAlloc-before.StackInuse) / crowd; each > 12<<10 {
		t.Errorf("a connection costs %d bytes, want less than 12 KiB", each)
	}
	start := time.Now()
	if got := statuses(t, talk(t, addr, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")); len(got) != 1 || got[0] != 200 {
		t.Errorf("got %v", got)
	}
	t.Logf("another client got its answer in %v", time.Since(start))
}

// busy is how many connections have a request under way.
func busy(f *Front) (n int) {
	for _, c := range f.list(nil) {
		if phase(c.phase.Load()&phaseMask) == phaseBusy {
			n++
		}
	}
	return n
}

func TestFullHouse(t *testing.T) {
	const limit = 20
	hold := make(chan struct{})
	f, addr := serveTuned(t, FrontOptions{Handler: func(x *Exchange) {
		if x.Target == "/hold" {
			<-hold
		}
		_ = x.Respond(200, nil, nil)
	}}, func(f *Front) { f.limits.conns, f.limits.perClient = limit, limit })
	const quick = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
	for range limit {
		dial(t, addr)
	}
	await.That(t, "all connections", func() bool { return f.Stats().Connections == limit })
	for range 2 * limit {
		if got := statuses(t, talk(t, addr, quick)); len(got) != 1 || got[0] != 200 {
			t.Fatalf("beside idle connections: %v", got)
		}
	}
	var held []net.Conn
	for range limit {
		nc := dial(t, addr)
		if _, err := io.WriteString(nc, "GET /hold HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		held = append(held, nc)
	}
	await.That(t, "so many exchanges", func() bool { return busy(f) == limit })
	late := make(chan string, 1)
	go func() { late <- talk(t, addr, quick) }()
	close(hold)
	if got := statuses(t, <-late); len(got) != 1 || got[0] != 200 {
		t.Errorf("after busy connections: %v", got)
	}
	for _, nc := range held {
		if answer, err := io.ReadAll(nc); err != nil || len(answer) == 0 {
			t.Errorf("a busy connection got %q, %v", answer, err)
		}
	}
}

// One client can't take the places of all the others.
func TestGreedyClient(t *testing.T) {
	hold := make(chan struct{})
	f, addr := serveTuned(t, FrontOptions{Handler: func(x *Exchange) {
		<-hold
		_ = x.Respond(200, nil, nil)
	}}, func(f *Front) { f.limits.conns, f.limits.perClient = 20, 10 })
	var group sync.WaitGroup
	for range 10 {
		group.Go(func() { talk(t, addr, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n") })
	}
	await.That(t, "so many exchanges", func() bool { return busy(f) == 10 })
	nc := dial(t, addr)
	if answer, _ := io.ReadAll(nc); len(answer) != 0 {
		t.Errorf("got %q", answer)
	}
	close(hold)
	group.Wait()
	if f.Stats().Refused != 1 {
		t.Errorf("%d were refused, want 1", f.Stats().Refused)
	}
}

func TestManyLargeHeads(t *testing.T) {
	f, addr := serveTuned(t, FrontOptions{Handler: echo}, func(f *Front) { f.limits.heads = 256 << 10 })
	large := "GET / HTTP/1.1\r\nHost: a\r\nA: " + strings.Repeat("x", 20<<10)
	var answers sync.Map
	var group sync.WaitGroup
	for i := range 40 {
		nc := dial(t, addr)
		if _, err := io.WriteString(nc, large); err != nil {
			t.Fatal(err)
		}
		group.Go(func() {
			answer, _ := io.ReadAll(nc)
			answers.Store(i, string(answer))
		})
		defer nc.Close()
	}
	await.That(t, "refusals", func() bool { return f.Stats().Refused >= 32 }) // 8 have 32 KiB each
	f.mu.Lock()
	heads := f.heads
	f.mu.Unlock()
	if heads > f.limits.heads {
		t.Errorf("%d bytes are taken, want at most %d", heads, f.limits.heads)
	}
	_ = f.cutOff()
	group.Wait()
	answers.Range(func(_, answer any) bool {
		if answer != "" && !strings.HasPrefix(answer.(string), "HTTP/1.1 503 ") {
			t.Errorf("got %q", answer)
		}
		return true
	})
	await.That(t, "the end of the connections", func() bool { return f.Stats().Connections == 0 })
	if f.heads != 0 {
		t.Errorf("%d bytes were not given back", f.heads)
	}
}

// Nothing is left over of clients that leave at any point.
func TestClientsThatLeave(t *testing.T) {
	f, addr := serveFront(t, FrontOptions{Handler: echo})
	request := "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
	for i := range len(request) {
		nc, err := net.Dial("tcp", addr.String())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(nc, request[:i]); err != nil {
			t.Fatal(err)
		}
		if i%2 == 0 {
			_ = nc.(*net.TCPConn).SetLinger(0)
		}
		_ = nc.Close()
	}
	await.That(t, "the end of the connections", func() bool { return f.Stats().Connections == 0 })
}

// However a request is cut into packets, it is the same one.
func TestFragments(t *testing.T) {
	_, addr := serveFront(t, FrontOptions{Handler: func(x *Exchange) {
		body, err := io.ReadAll(x.Body)
		if err != nil {
			t.Error(err)
		}
		_ = x.Respond(200, nil, fmt.Appendf(nil, "%s %s", x.Target, body))
	}})
	request := []byte("POST /p HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n5;x=y\r\nhello\r\n3\r\nyou\r\n0\r\nA: b\r\n\r\n")
	for cut := 1; cut < len(request); cut++ {
		nc := dial(t, addr)
		if _, err := nc.Write(request[:cut]); err != nil {
			t.Fatal(err)
		}
		runtime.Gosched()
		if _, err := nc.Write(request[cut:]); err != nil {
			t.Fatal(err)
		}
		answer, err := io.ReadAll(nc)
		if err != nil || !bytes.HasSuffix(answer, []byte("\r\n\r\n/p helloyou")) {
			t.Fatalf("cut at %d: got %q, %v", cut, answer, err)
		}
		_ = nc.Close()
	}
}
