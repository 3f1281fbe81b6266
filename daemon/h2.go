package daemon

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strconv"
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
}

func newHTTP2(f *Front) *http2Server {
	var protocols http.Protocols
	protocols.SetUnencryptedHTTP2(true)
	return &http2Server{
		conns:  make(chan net.Conn),
		closed: make(chan struct{}),
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
				return context.WithValue(ctx, peerKey{}, nc.(*prefixed).peer)
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

// drain ends the connections that are idle after the grace, and the others as they get
// so. Until then each response tells its client to leave.
func (s *http2Server) drain(ctx context.Context, grace time.Duration) {
	select {
	case <-time.After(grace):
	case <-ctx.Done():
	}
	_ = s.server.Shutdown(ctx) // what is left then is cut off with all the others
}

// serveHTTP2 speaks HTTP/2 until the connection ends.
func (c *conn) serveHTTP2() {
	f := c.front
	f.mu.Lock()
	ok := f.h2count < f.limits.http2
	if ok {
		f.h2count++
	}
	f.mu.Unlock()
	if !ok {
		f.refused(c.peer, http.StatusServiceUnavailable, "too many HTTP/2 connections")
		return
	}
	defer func() {
		f.mu.Lock()
		f.h2count--
		f.mu.Unlock()
	}()
	if c.enter(phaseOther) {
		return
	}
	nc := &prefixed{Conn: c.nc, peer: c.peer, rest: append([]byte(nil), c.buffered()...), closed: make(chan struct{})}
	c.consume(len(nc.rest))
	select {
	case f.h2.conns <- nc:
		<-nc.closed
	case <-f.h2.closed:
	}
}

// prefixed is a connection that is given away after something was read from it.
type prefixed struct {
	net.Conn
	peer   netip.Addr
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

type peerKey struct{}

// serveStream serves one request.
func (f *Front) serveStream(w http.ResponseWriter, r *http.Request) {
	start := time.Now()
	if reason := refuseStream(r); reason != "" {
		peer, _ := r.Context().Value(peerKey{}).(netip.Addr)
		f.refused(peer, http.StatusBadRequest, reason)
		http.Error(w, "400 Bad Request: "+reason, http.StatusBadRequest)
		return
	}
	h := newH2(f, w, r)
	if f.isDraining() {
		// It doesn't reach the client: it makes the server say GOAWAY.
		w.Header().Set("Connection", "close")
	}
	f.handle(&h.Exchange)
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
	case r.Method == http.MethodConnect, r.Method == http.MethodTrace, r.Method == "TRACK":
		return "the method is not allowed"
	}
	return ""
}

// h2 carries an exchange over HTTP/2.
type h2 struct {
	Exchange
	w     http.ResponseWriter
	r     *http.Request
	body  []byte // of a staged response
	begun bool   // the head has left
	lent  bool
}

func newH2(f *Front, w http.ResponseWriter, r *http.Request) *h2 {
	h := &h2{w: w, r: r}
	h.wire = h
	h.Client, _ = r.Context().Value(peerKey{}).(netip.Addr)
	h.Proto = r.Proto
	h.Method = r.Method
	h.Scheme = "http"
	h.Host = r.Host
	h.Target = string(appendTarget(nil, []byte(r.RequestURI)))
	h.ContentLength = r.ContentLength
	h.Body = &h2Body{rc: http.NewResponseController(w), body: r.Body, times: f.times}
	if f.trust.believes(h.Client) {
		var said claims
		for name, values := range r.Header {
			for _, value := range values {
				said.take(strings.ToLower(name), value)
			}
		}
		f.trust.resolve(&h.Exchange, &said)
	}
	if h.ID == "" {
		h.ID = string(appendID(nil))
	}
	h.url = h.Scheme + "://" + h.Host + h.Target
	h.Header = h.fields()
	return h
}

// fields writes the header as an app gets it.
func (h *h2) fields() Fields {
	b := make([]byte, 0, 512)
	b = append(b, "host\n"...)
	b = append(b, h.Host...)
	b = append(b, '\n')
	for name, values := range h.r.Header {
		name = strings.ToLower(name)
		if isClaim(name) || name == "expect" {
			continue
		}
		for _, value := range values {
			b = append(b, name...)
			b = append(b, '\n')
			b = append(b, value...)
			b = append(b, '\n')
		}
	}
	b = appendKnown(b, &h.Exchange)
	b = append(b, h.ID...)
	return Fields(append(b, '\n'))
}

func (h *h2) setHeader(header []byte) {
	to := h.w.Header()
	for len(header) > 0 {
		var name, value []byte
		name, value, header, _ = http1.CutField(header)
		if http1.OfConnection(name) || string(name) == "content-length" {
			continue
		}
		key := http.CanonicalHeaderKey(string(name))
		to[key] = append(to[key], string(value))
	}
	if to["Content-Type"] == nil {
		to["Content-Type"] = nil // nobody guesses it
	}
}

func (h *h2) setLength(n int64) {
	if n >= 0 {
		h.w.Header().Set("Content-Length", strconv.FormatInt(n, 10))
	}
}

func (h *h2) respond(status int, header, body []byte) {
	h.setHeader(header)
	if !bodyless(h.Method, status) {
		h.setLength(int64(len(body)))
		h.body = append(h.body, body...)
		return
	}
	length := promisedLength(status, header)
	if length < 0 && h.Method == http.MethodHead && len(body) > 0 {
		length = int64(len(body))
	}
	h.setLength(length)
}

func (h *h2) start(status int, header []byte) {
	h.setHeader(header)
	h.setLength(promisedLength(status, header))
}

// head sends the head of the response once.
func (h *h2) head() {
	if !h.begun {
		h.begun = true
		h.w.WriteHeader(h.status)
	}
}

func (h *h2) write(p []byte) (int, error) {
	h.head()
	n, err := h.w.Write(p)
	if err != nil {
		return n, err
	}
	return n, h.flush()
}

func (h *h2) flush() error {
	h.head()
	return http.NewResponseController(h.w).Flush()
}

func (h *h2) abort() {}

// finish ends the exchange after the handler has returned.
func (h *h2) finish() {
	switch {
	case h.over:
		panic(http.ErrAbortHandler)
	case h.lent && (!h.broken || h.status != 0):
		return
	case h.status == 0:
		_ = h.Respond(http.StatusInternalServerError, nil, nil)
	}
	h.head()
	if len(h.body) > 0 {
		_, _ = h.w.Write(h.body) // a client that is gone needs no more
	}
}

func (h *h2) context() context.Context { return h.r.Context() }

func (h *h2) http() (http.ResponseWriter, *http.Request) {
	h.lent = true
	r := h.r.Clone(h.r.Context())
	r.Host, r.RemoteAddr, r.Header, r.Body = h.Host, remoteAddr(h.Client), h.Header.header(), io.NopCloser(h.Body)
	return &recorder{ResponseWriter: h.w, x: &h.Exchange}, r
}

// recorder notes what a lent response writer was used for.
type recorder struct {
	http.ResponseWriter
	x *Exchange
}

func (r *recorder) WriteHeader(status int) {
	if status >= 200 {
		r.x.status = status
	}
	r.ResponseWriter.WriteHeader(status)
}

func (r *recorder) Write(p []byte) (int, error) {
	if r.x.status == 0 {
		r.x.status = http.StatusOK
	}
	n, err := r.ResponseWriter.Write(p)
	r.x.written += int64(n)
	return n, err
}

// Flush sends what there is; whether that works shows at the next write.
func (r *recorder) Flush() { _ = http.NewResponseController(r.ResponseWriter).Flush() }

// Unwrap is for http.ResponseController.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// h2Body reads the body of a stream and gives up a client that is too slow.
type h2Body struct {
	rc     *http.ResponseController
	body   io.Reader
	times  times
	waited time.Duration // in this window
	got    int64         // bytes in it
}

func (b *h2Body) Read(p []byte) (int, error) {
	start := time.Now()
	if err := b.rc.SetReadDeadline(start.Add(b.times.window - b.waited)); err != nil {
		return 0, err
	}
	n, err := b.body.Read(p)
	b.waited += time.Since(start)
	if b.got += int64(n); b.got >= b.times.progress {
		b.waited, b.got = 0, 0
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		err = &http1.Error{Status: http.StatusRequestTimeout, Reason: "the body comes too slowly"}
	}
	return n, err
}
