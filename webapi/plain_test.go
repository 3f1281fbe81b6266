package webapi

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/textproto"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nano-runtime/nano/internal/await"
)

// script answers one connection after the other: serve gets the number of the connection, from 1.
func script(t *testing.T, serve func(n int32, c net.Conn, in *bufio.Reader)) (p *plain, address string, connections *atomic.Int32) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	connections = new(atomic.Int32)
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			n := connections.Add(1)
			go func() {
				defer c.Close()
				serve(n, c, bufio.NewReader(c))
			}()
		}
	}()
	p = &plain{dial: new(net.Dialer).DialContext, rest: new(http.Transport)}
	t.Cleanup(func() {
		ln.Close()
		p.CloseIdleConnections()
	})
	return p, ln.Addr().String(), connections
}

// each answers every request of a connection with text.
func each(text string) func(int32, net.Conn, *bufio.Reader) {
	return func(_ int32, c net.Conn, in *bufio.Reader) {
		for {
			if _, err := http.ReadRequest(in); err != nil {
				return
			}
			_, _ = io.WriteString(c, text)
		}
	}
}

// ask makes a request and gives the status and the body, or what went wrong.
func ask(p *plain, ctx context.Context, method, address string) string {
	body := ""
	if method == http.MethodPost {
		body = "posted"
	}
	r, err := newRequest(ctx, method, "http://"+address+"/", "", []byte(body), nil)
	if err != nil {
		return err.Error()
	}
	response, err := p.RoundTrip(r)
	if err != nil {
		return "error: " + err.Error()
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return fmt.Sprintf("%d %s error: %v", response.StatusCode, text, err)
	}
	return fmt.Sprintf("%d %s", response.StatusCode, text)
}

func TestPlainConnections(t *testing.T) {
	const fine = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
	tests := []struct {
		name        string
		serve       func(n int32, c net.Conn, in *bufio.Reader)
		methods     []string
		want        []string
		connections int32
	}{
		{"one serves again", each(fine), []string{"GET", "POST", "GET"}, []string{"200 ok", "200 ok", "200 ok"}, 1},
		{"chunks", each("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"), []string{"GET", "GET"}, []string{"200 ok", "200 ok"}, 1},
		{"no body", each("HTTP/1.1 204 No Content\r\n\r\n"), []string{"GET", "GET"}, []string{"204 ", "204 "}, 1},
		{"HEAD", each("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"), []string{"HEAD", "HEAD"}, []string{"200 ", "200 "}, 1},
		{"informational", each("HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\n" + fine), []string{"GET", "GET"}, []string{"200 ok", "200 ok"}, 1},
		{"too many of those", each(strings.Repeat("HTTP/1.1 103 Early Hints\r\n\r\n", 8) + fine), []string{"GET"}, []string{"error: there are too many informational responses"}, 1},
		{"the server closes", each("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok"), []string{"GET", "GET"}, []string{"200 ok", "200 ok"}, 2},
		{"HTTP/1.0", each("HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok"), []string{"GET", "GET"}, []string{"200 ok", "200 ok"}, 2},
		{"an answer that nobody has asked for", each(fine + "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nbad"), []string{"GET", "GET", "POST"}, []string{"200 ok", "200 ok", "200 ok"}, 3},
		{"a long header", each("HTTP/1.1 200 OK\r\nA: " + strings.Repeat("a", maxResponseHeader) + "\r\n\r\n"), []string{"GET"}, []string{"error: the header of the response is too long"}, 1},
		{"no HTTP", each("220 smtp.example.com ESMTP\r\n"), []string{"GET"}, []string{`error: malformed HTTP status code "smtp.example.com"`}, 1},
		{"broken off", func(_ int32, c net.Conn, in *bufio.Reader) {
			_, _ = http.ReadRequest(in)
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nok")
		}, []string{"GET"}, []string{"200 ok error: unexpected EOF"}, 1},
		{"closed when it is taken", func(n int32, c net.Conn, in *bufio.Reader) {
			for i := 0; n > 1 || i < 1; i++ {
				if _, err := http.ReadRequest(in); err != nil {
					return
				}
				_, _ = io.WriteString(c, fine)
			}
			_, _ = http.ReadRequest(in) // and no answer
		}, []string{"GET", "GET", "GET"}, []string{"200 ok", "200 ok", "200 ok"}, 2},
		{"… is not sent twice", func(n int32, c net.Conn, in *bufio.Reader) {
			if _, err := http.ReadRequest(in); err == nil {
				_, _ = io.WriteString(c, fine)
				_, _ = http.ReadRequest(in)
			}
		}, []string{"POST", "POST"}, []string{"200 ok", "error: "}, 1},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			p, address, connections := script(t, test.serve)
			for i, method := range test.methods {
				if got := ask(p, t.Context(), method, address); got != test.want[i] && (test.want[i] != "error: " || !strings.HasPrefix(got, "error: ")) {
					t.Errorf("request %d: got %q, want %q", i+1, got, test.want[i])
				}
			}
			if n := connections.Load(); n != test.connections {
				t.Errorf("there were %d connections, want %d", n, test.connections)
			}
		})
	}
}

// A connection that the server has closed meanwhile isn't taken, whatever the request.
func TestPlainClosedWhileIdle(t *testing.T) {
	gone := make(chan struct{}, 10)
	p, address, _ := script(t, func(_ int32, c net.Conn, in *bufio.Reader) {
		_, _ = http.ReadRequest(in)
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
		c.Close()
		gone <- struct{}{}
	})
	for range 5 {
		if got := ask(p, t.Context(), "POST", address); got != "200 ok" {
			t.Errorf("got %q", got)
		}
		<-gone
	}
}

func TestPlainCancel(t *testing.T) {
	asked := make(chan struct{}, 1)
	p, address, _ := script(t, func(n int32, c net.Conn, in *bufio.Reader) {
		_, _ = http.ReadRequest(in)
		if n == 2 {
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nok")
		}
		asked <- struct{}{}
		_, _ = io.Copy(io.Discard, c) // until the client leaves
		asked <- struct{}{}
	})
	for _, want := range []string{"error: context canceled", "200 ok error: context canceled"} {
		ctx, cancel := context.WithCancel(t.Context())
		got := make(chan string)
		go func() { got <- ask(p, ctx, "GET", address) }()
		<-asked
		cancel()
		if text := <-got; text != want && text != "error: context canceled" {
			t.Errorf("got %q, want %q", text, want)
		}
		<-asked // the connection has ended
	}
}

// faultyConn fails to read once there is a fault.
type faultyConn struct {
	*net.TCPConn
	fault error
}

func (c *faultyConn) Read(p []byte) (int, error) {
	if c.fault != nil {
		return 0, &net.OpError{Op: "read", Net: "tcp", Err: c.fault}
	}
	return c.TCPConn.Read(p)
}

// A request is sent again where the connection had ended when it was taken, and not where the server is slow.
func TestPlainRetry(t *testing.T) {
	tests := []struct {
		fault error
		dials int
	}{
		{io.EOF, 2},
		{io.ErrUnexpectedEOF, 2},
		{os.NewSyscallError("read", syscall.ECONNRESET), 2},
		{os.NewSyscallError("write", syscall.EPIPE), 2},
		{os.ErrDeadlineExceeded, 1},
		{os.NewSyscallError("read", syscall.ETIMEDOUT), 1},
	}
	for _, test := range tests {
		t.Run(test.fault.Error(), func(t *testing.T) {
			p, address, _ := script(t, each("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"))
			var dialed []*faultyConn
			p.dial = func(ctx context.Context, network, address string) (net.Conn, error) {
				c, err := new(net.Dialer).DialContext(ctx, network, address)
				if err != nil {
					return nil, err
				}
				dialed = append(dialed, &faultyConn{TCPConn: c.(*net.TCPConn)})
				return dialed[len(dialed)-1], nil
			}
			if got := ask(p, t.Context(), "GET", address); got != "200 ok" {
				t.Fatalf("got %q", got)
			}
			dialed[0].fault = test.fault
			if got := ask(p, t.Context(), "GET", address); (got == "200 ok") != (test.dials == 2) {
				t.Errorf("got %q", got)
			}
			if len(dialed) != test.dials {
				t.Errorf("it was sent over %d connections, want %d", len(dialed), test.dials)
			}
		})
	}
}

// refusedConn sends what comes after the first write only when the server has reset the connection.
type refusedConn struct {
	net.Conn
	t      *testing.T
	writes int
}

func (c *refusedConn) Write(p []byte) (int, error) {
	if c.writes++; c.writes == 2 {
		raw, err := c.Conn.(syscall.Conn).SyscallConn()
		if err != nil {
			return 0, err
		}
		if err := raw.Control(func(fd uintptr) {
			list := []unix.PollFd{{Fd: int32(fd)}} // a reset is told of in any case
			if n, err := unix.Poll(list, int(await.Deadline.Milliseconds())); n == 0 {
				c.t.Errorf("the server hasn't reset the connection: %v", err)
			}
		}); err != nil {
			return 0, err
		}
	}
	return c.Conn.Write(p)
}

// A server that refuses a body is heard, though it closes before it has read that; its connection doesn't serve again.
func TestPlainRefusedBody(t *testing.T) {
	const refusal = "HTTP/1.1 413 Content Too Large\r\nContent-Length: %d\r\n\r\n%s"
	for name, test := range map[string]struct{ answer, want string }{
		"with a body":    {fmt.Sprintf(refusal, 6, "enough"), "413 enough"},
		"with none":      {fmt.Sprintf(refusal, 0, ""), "413 "},
		"informed first": {"HTTP/1.1 103 Early Hints\r\n\r\n" + fmt.Sprintf(refusal, 6, "enough"), "413 enough"},
		"in no words":    {"", "the connection to a.example broke: connection reset by peer"},
	} {
		t.Run(name, func(t *testing.T) {
			p, address, connections := script(t, func(_ int32, c net.Conn, _ *bufio.Reader) {
				head := textproto.NewReader(bufio.NewReaderSize(c, 16)) // leaves the body's bytes unread
				for {
					if line, err := head.ReadLine(); line == "" || err != nil {
						break
					}
				}
				_, _ = io.WriteString(c, test.answer)
			})
			p.dial = func(ctx context.Context, network, _ string) (net.Conn, error) {
				c, err := new(net.Dialer).DialContext(ctx, network, address)
				return &refusedConn{Conn: c, t: t}, err
			}
			for range 2 {
				r, err := newRequest(t.Context(), "POST", "http://a.example/", "", bytes.Repeat([]byte("a"), maxPlainBody), nil)
				if err != nil {
					t.Fatal(err)
				}
				var got string
				if response, err := p.RoundTrip(r); err != nil {
					got = reason(r, err)
				} else {
					text, err := io.ReadAll(response.Body)
					if err != nil {
						t.Error(err)
					}
					got = fmt.Sprintf("%d %s", response.StatusCode, text)
				}
				if got != test.want {
					t.Errorf("got %q, want %q", got, test.want)
				}
			}
			if n := connections.Load(); n != 2 || p.count != 0 {
				t.Errorf("there were %d connections, and %d are kept", n, p.count)
			}
		})
	}
}

// clearingConn calls clear before reading's deadline is cleared, which is when the head of a response has been read, and
// then waits until what that cancels has been told of it.
type clearingConn struct {
	net.Conn
	clear func()
	told  chan struct{}
}

func (c *clearingConn) SetDeadline(t time.Time) error {
	defer close(c.told)
	return c.Conn.SetDeadline(t)
}

func (c *clearingConn) SetReadDeadline(t time.Time) error {
	if t.IsZero() {
		c.clear()
		<-c.told
	}
	return c.Conn.SetReadDeadline(t)
}

// halfway answers with the head of a response and a part of its body, and closes gone when the client has left.
func halfway(t *testing.T) (p *plain, address string, gone chan struct{}) {
	t.Helper()
	gone = make(chan struct{})
	p, address, _ = script(t, func(_ int32, c net.Conn, in *bufio.Reader) {
		_, _ = http.ReadRequest(in)
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nok")
		_, _ = io.Copy(io.Discard, c)
		close(gone)
	})
	return p, address, gone
}

// expectGone waits for the event that the client has left.
func expectGone(t *testing.T, gone <-chan struct{}) {
	t.Helper()
	select {
	case <-gone:
	case <-time.After(await.Deadline):
		t.Error("the connection is open")
	}
}

// What is cancelled while the head comes fails, and leaves no connection behind, though reading's deadline is set anew.
func TestPlainCancelInHead(t *testing.T) {
	p, address, gone := halfway(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	p.dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := new(net.Dialer).DialContext(ctx, network, address)
		return &clearingConn{Conn: c, clear: cancel, told: make(chan struct{})}, err
	}
	r, err := newRequest(ctx, "GET", "http://"+address+"/", "", nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if response, err := p.RoundTrip(r); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v and the error %v", response, err)
	}
	expectGone(t, gone)
	if p.count != 0 {
		t.Error("the connection is kept")
	}
}

// Connections that are idle don't pile up, nor for long.
func TestPlainIdle(t *testing.T) {
	p := &plain{rest: new(http.Transport)}
	many := make([]*plainConn, idleConnections+20)
	for i := range many {
		near, _ := net.Pipe()
		many[i] = &plainConn{Conn: near, address: fmt.Sprint(i % 7)}
		p.put(many[i])
	}
	p.mu.Lock()
	count := p.count
	for _, c := range many {
		c.since = time.Now().Add(-idleTimeout)
	}
	p.mu.Unlock()
	if count != idleConnections {
		t.Errorf("%d are kept, want %d", count, idleConnections)
	}
	p.expire()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.count != 0 || len(p.idle) != 0 {
		t.Errorf("%d of %d hosts are left", p.count, len(p.idle))
	}
	if _, err := many[0].Conn.Read(make([]byte, 1)); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("the oldest is open: %v", err)
	}
}

// What plain doesn't do itself, net/http does.
func TestPlainRest(t *testing.T) {
	p, address, _ := script(t, func(_ int32, c net.Conn, in *bufio.Reader) {
		r, err := http.ReadRequest(in)
		if err != nil {
			return
		}
		n, _ := io.Copy(io.Discard, r.Body)
		fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nConnection: close\r\nX-Size: %d\r\nContent-Length: 0\r\n\r\n", n)
	})
	for name, body := range map[string]struct {
		complete []byte
		pipe     io.ReadCloser
	}{
		"large":  {bytes.Repeat([]byte("a"), maxPlainBody+1), nil},
		"stream": {nil, io.NopCloser(strings.NewReader(strings.Repeat("a", maxPlainBody+1)))},
	} {
		r, err := newRequest(t.Context(), "POST", "http://"+address, "", body.complete, body.pipe)
		if err != nil {
			t.Fatal(err)
		}
		response, err := p.RoundTrip(r)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got, want := response.Header.Get("X-Size"), fmt.Sprint(maxPlainBody+1); got != want {
			t.Errorf("%s: the server got %s bytes, want %s", name, got, want)
		}
	}
}
