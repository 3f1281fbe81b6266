package daemon

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nano-runtime/nano/internal/await"
)

// load sends requests on kept-alive connections, one after another on each and without
// ever trying again, until it is stopped.
type load struct {
	stop   chan struct{}
	wg     sync.WaitGroup
	served sync.Map // name of the server → *atomic.Int64
	failed atomic.Pointer[error]
}

// start begins n clients. A connection that the server has announced to be closed is
// replaced by a new one; any other end is a failure.
func (l *load) start(addr net.Addr, n int) {
	l.stop = make(chan struct{})
	for range n {
		l.wg.Go(func() {
			for {
				select {
				case <-l.stop:
					return
				default:
				}
				if err := l.connection(addr); err != nil {
					l.failed.CompareAndSwap(nil, &err)
					return
				}
			}
		})
	}
}

func (l *load) connection(addr net.Addr) error {
	nc, err := net.Dial(addr.Network(), addr.String())
	if err != nil {
		return fmt.Errorf("dial: %w", err)
	}
	defer nc.Close()
	r := bufio.NewReader(nc)
	for i := 0; ; i++ {
		select {
		case <-l.stop:
			return nil
		default:
		}
		_ = nc.SetDeadline(time.Now().Add(time.Minute))
		if _, err := io.WriteString(nc, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody"); err != nil {
			return fmt.Errorf("request %d: %w", i, err)
		}
		res, err := http.ReadResponse(r, nil)
		if err != nil {
			return fmt.Errorf("response %d: %w", i, err)
		}
		name, err := io.ReadAll(res.Body)
		if err != nil || res.StatusCode != 200 {
			return fmt.Errorf("response %d: %d, %w", i, res.StatusCode, err)
		}
		count, _ := l.served.LoadOrStore(string(name), new(atomic.Int64))
		count.(*atomic.Int64).Add(1)
		if res.Close {
			return nil
		}
	}
}

func (l *load) by(name string) int64 {
	if count, ok := l.served.Load(name); ok {
		return count.(*atomic.Int64).Load()
	}
	return 0
}

// await waits until a server has answered some requests more.
func (l *load) await(t *testing.T, name string) {
	t.Helper()
	target := l.by(name) + 200
	await.That(t, fmt.Sprintf("%d requests to %q", target, name), func() bool { return l.by(name) >= target || l.failed.Load() != nil })
}

func (l *load) end(t *testing.T) {
	t.Helper()
	close(l.stop)
	l.wg.Wait()
	if err := l.failed.Load(); err != nil {
		t.Fatal(*err)
	}
}

// copyOf is another listener on the same socket, as another process has it.
func copyOf(t *testing.T, ln net.Listener) net.Listener {
	t.Helper()
	file, err := ln.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	dup, err := net.FileListener(file)
	if err != nil {
		t.Fatal(err)
	}
	return dup
}

func named(name string) FrontOptions {
	return FrontOptions{Handler: func(x *Exchange) { _ = x.Respond(200, nil, []byte(name)) }}
}

func TestTakeoverLosesNothing(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	last := copyOf(t, ln) // keeps the socket open throughout, as systemd does
	defer last.Close()
	var l load
	var fronts []*Front
	served := make(chan error, 10)
	begin := func(name string) {
		f := NewFront(named(name))
		fronts = append(fronts, f)
		dup := copyOf(t, last)
		go func() { served <- f.Serve(dup) }()
	}
	_ = ln.Close()
	begin("0")
	l.start(last.Addr(), 40)
	l.await(t, "0")
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for i := range 5 {
		begin(fmt.Sprint(i + 1))
		if err := fronts[i].Drain(ctx, handOverGrace); err != nil {
			t.Error(err)
		}
		if err := <-served; err != nil {
			t.Error(err)
		}
		l.await(t, fmt.Sprint(i+1))
	}
	l.end(t)
	if err := fronts[5].Drain(ctx, 0); err != nil {
		t.Error(err)
	}
}

func TestDrainAnswersIdleConnections(t *testing.T) {
	f, addr := serveFront(t, named("a"))
	nc := dial(t, addr)
	r := bufio.NewReader(nc)
	ask := func() *http.Response {
		t.Helper()
		if _, err := io.WriteString(nc, "GET / HTTP/1.1\r\nHost: a\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		res, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, res.Body)
		return res
	}
	if ask().Close {
		t.Error("the first response ends the connection")
	}
	drained := make(chan error, 1)
	go func() { drained <- f.Drain(context.Background(), time.Minute) }()
	await.That(t, "the drain", f.isDraining)
	if res := ask(); !res.Close || res.StatusCode != 200 {
		t.Errorf("got %v, want a last response", res)
	}
	if err := <-drained; err != nil {
		t.Error(err)
	}
}

func TestDrainEndsIdleConnectionsAfterTheGrace(t *testing.T) {
	f, addr := serveFront(t, named("a"))
	nc := dial(t, addr)
	await.That(t, "all connections", func() bool { return f.Stats().Connections == 1 })
	closed := make(chan error, 1)
	go func() {
		_, err := nc.Read(make([]byte, 1))
		_ = nc.Close()
		closed <- err
	}()
	if err := f.Drain(context.Background(), 10*time.Millisecond); err != nil {
		t.Error(err)
	}
	if err := <-closed; err != io.EOF {
		t.Errorf("the client got %v, want EOF", err)
	}
}

func TestDrainTimeoutEndsStreams(t *testing.T) {
	began, gone := make(chan struct{}), make(chan struct{})
	f, addr := serveFront(t, FrontOptions{Handler: func(x *Exchange) {
		_ = x.Start(200, nil)
		_ = x.Flush()
		close(began)
		<-x.Context().Done()
		close(gone)
	}})
	nc := dial(t, addr)
	if _, err := io.WriteString(nc, "GET / HTTP/1.1\r\nHost: a\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	<-began
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if err := f.Drain(ctx, 0); err == nil {
		t.Error("the drain says that it cut nothing off")
	}
	<-gone
	await.That(t, "the end of the connections", func() bool { return f.Stats().Connections == 0 })
}

func TestDrainAnswersWhatWaitsInTheQueue(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var clients []net.Conn
	for range 20 {
		nc := dial(t, ln.Addr())
		if _, err := io.WriteString(nc, "GET / HTTP/1.1\r\nHost: a\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		clients = append(clients, nc)
	}
	f := NewFront(named("a"))
	served := make(chan error, 1)
	go func() { served <- f.Serve(ln) }()
	await.That(t, "a connection", func() bool { return f.Stats().Connections > 0 })
	if err := f.Drain(t.Context(), time.Second); err != nil {
		t.Error(err)
	}
	if err := <-served; err != nil {
		t.Error(err)
	}
	for i, nc := range clients {
		if res, err := http.ReadResponse(bufio.NewReader(nc), nil); err != nil || res.StatusCode != 200 {
			t.Fatalf("client %d: %v", i, err)
		}
	}
}
