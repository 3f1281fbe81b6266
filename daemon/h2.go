package daemon

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/nano-runtime/nano/daemon/http1"
)

// http2Server hands connections over to net/http, which is its listener: HTTP/2 is
// net/http's. Memory is bounded by the number of connections times the window of each.
// Resets and control frames in floods end the connection; that is the library's doing.
type http2Server struct {
	server *http.Server
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once

	mu       sync.Mutex // guards what is below; order: before h2conn.mu
	open     map[*h2conn]struct{}
	draining bool
}

func newHTTP2(f *Front) *http2Server {
	var protocols http.Protocols
	protocols.SetUnencryptedHTTP2(true)
	return &http2Server{
		conns:  make(chan net.Conn),
		closed: make(chan struct{}),
		open:   make(map[*h2conn]struct{}),
		server: &http.Server{
			Handler:        http.HandlerFunc(f.serveStream),
			Protocols:      &protocols,
			MaxHeaderBytes: f.limits.head.Head,
			IdleTimeout:    f.times.idle,
			ErrorLog:       slog.NewLogLogger(f.opts.Log.Handler(), slog.LevelDebug),
			HTTP2: &http.HTTP2Config{
				MaxConcurrentStreams:          128,
				MaxReceiveBufferPerConnection: 256 << 10,
				MaxReceiveBufferPerStream:     128 << 10,
				SendPingTimeout:               f.times.window,
				PingTimeout:                   f.times.head,
				WriteByteTimeout:              f.times.window,
			},
			ConnContext: func(ctx context.Context, nc net.Conn) context.Context {
				return context.WithValue(ctx, originKey{}, nc.(*h2conn).origin)
			},
		},
	}
}

// Accept, Close and Addr make it a net.Listener.
func (s *http2Server) Accept() (net.Conn, error) {
	select {
	case nc := <-s.conns:
		return nc, nil
	case <-s.closed:
		return nil, net.ErrClosed
	}
}

func (s *http2Server) Close() error {
	s.once.Do(func() { close(s.closed) })
	return nil
}

func (s *http2Server) Addr() net.Addr { return &net.UnixAddr{} }

// drain tells all clients to open no more streams, lets those come in that are on
// their way, and ends each connection when its last stream has.
func (s *http2Server) drain(ctx context.Context, grace time.Duration) {
	s.mu.Lock()
	s.draining = true
	for nc := range s.open {
		go nc.announceEnd() // it may have to wait for a slow client
	}
	s.mu.Unlock()
	select {
	case <-time.After(min(grace, time.Second)):
	case <-ctx.Done():
	}
	_ = s.server.Shutdown(ctx) // what is left then is cut off with all the others
}

// add takes a connection in, unless there are too many.
func (s *http2Server) add(nc *h2conn, limit int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.open) >= limit {
		return false
	}
	s.open[nc] = struct{}{}
	if s.draining {
		go nc.announceEnd()
	}
	return true
}

func (s *http2Server) remove(nc *h2conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, nc)
}

// serveHTTP2 speaks HTTP/2 until the connection ends.
func (c *conn) serveHTTP2() {
	h2 := c.front.h2
	given, err := c.sock.give()
	if err != nil {
		c.front.opts.Log.Error("cannot serve a connection", "error", err)
		return
	}
	nc := &h2conn{origin: origin{c.peer, c.secure}, prefixed: prefixed{
		Conn:   given,
		rest:   append([]byte(nil), c.buffered()...),
		closed: make(chan struct{}),
	}}
	c.consume(len(nc.rest))
	if !h2.add(nc, c.front.limits.http2) {
		c.front.refused(c.peer, http.StatusServiceUnavailable, "too many HTTP/2 connections")
		return
	}
	defer h2.remove(nc)
	if c.enter(phaseOther) {
		return
	}
	select {
	case h2.conns <- nc:
		<-nc.closed
	case <-h2.closed:
	}
}

// prefixed is a connection that is given away after something was read from it.
type prefixed struct {
	net.Conn
	rest   []byte
	once   sync.Once
	closed chan struct{}
}

func (p *prefixed) Read(b []byte) (int, error) {
	if len(p.rest) > 0 {
		n := copy(b, p.rest)
		p.rest = p.rest[n:]
		return n, nil
	}
	return p.Conn.Read(b)
}

func (p *prefixed) Close() error {
	err := p.Conn.Close()
	p.once.Do(func() { close(p.closed) })
	return err
}

// h2conn is a connection that net/http speaks HTTP/2 on. Before a server says which
// stream is the last one, it should announce that, so that no client opens one more at
// the same time; net/http doesn't, so this puts the announcement between its frames.
type h2conn struct {
	prefixed
	origin origin

	mu      sync.Mutex // guards what is below, while it is written, too
	header  []byte     // the beginning of a frame's header
	payload int        // what is left of a frame after its header, in bytes
	began   bool       // the first frame, which must be SETTINGS, was sent
	ending  bool       // the end is to be announced behind the frame under way
}

// lastCall is a GOAWAY frame that allows every stream there can be.
const lastCall = "\x00\x00\x08\x07\x00\x00\x00\x00\x00\x7f\xff\xff\xff\x00\x00\x00\x00"

// frameHeader is the length of a frame's header, in bytes.
const frameHeader = 9

func (c *h2conn) Write(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n, err := c.Conn.Write(b)
	c.followLocked(b[:n])
	if err == nil && c.ending && c.betweenFrames() {
		c.ending = false
		_, err = io.WriteString(c.Conn, lastCall)
	}
	return n, err
}

// followLocked keeps track of where frames begin.
func (c *h2conn) followLocked(b []byte) {
	c.began = c.began || len(b) > 0
	for len(b) > 0 {
		if c.payload > 0 {
			n := min(c.payload, len(b))
			c.payload -= n
			b = b[n:]
			continue
		}
		n := min(frameHeader-len(c.header), len(b))
		c.header = append(c.header, b[:n]...)
		b = b[n:]
		if len(c.header) == frameHeader {
			c.payload = int(c.header[0])<<16 | int(c.header[1])<<8 | int(c.header[2])
			c.header = c.header[:0]
		}
	}
}

func (c *h2conn) betweenFrames() bool { return c.payload == 0 && len(c.header) == 0 && c.began }

// announceEnd tells the client to open no more streams here.
func (c *h2conn) announceEnd() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.betweenFrames() {
		c.ending = true
		return
	}
	_, _ = io.WriteString(c.Conn, lastCall) // if it fails the connection ends, too
}

type originKey struct{}

// serveStream serves one request.
func (f *Front) serveStream(w http.ResponseWriter, r *http.Request) {
	start := time.Now()
	if reason := refuseStream(r); reason != "" {
		from, _ := r.Context().Value(originKey{}).(origin)
		f.refused(from.peer, http.StatusBadRequest, reason)
		http.Error(w, "400 Bad Request: "+reason, http.StatusBadRequest)
		return
	}
	h := newH2(f, w, r)
	defer h.upload.end()
	f.run(&h.Exchange)
	defer f.logAccess(&h.Exchange, start) // finish may panic, to reset the stream
	h.finish()
}

// refuseStream says what is wrong with a request that the library lets through.
func refuseStream(r *http.Request) string {
	switch {
	case !http1.IsHost(r.Host):
		return "the authority is malformed"
	case !strings.HasPrefix(r.RequestURI, "/") || !http1.IsTarget(r.RequestURI):
		return "the path is malformed"
	case len(r.Header["Content-Length"]) > 1:
		return "there is more than one content length"
	case r.Method == http.MethodConnect, r.Method == http.MethodTrace, r.Method == "TRACK":
		return "the method is not allowed"
	}
	return ""
}
