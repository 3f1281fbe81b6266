package webapi

import (
	"bufio"
	"context"
	"errors"
	"io"
	"math"
	"net"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// plain makes requests over HTTP/1.1 without TLS on the caller's goroutine, with net/http's syntax but connections of
// its own: net/http's have two goroutines each, and changing between the three is a third of what a fetch takes. What
// is encrypted, or sends a body while it is made, is left to rest.
type plain struct {
	dial func(ctx context.Context, network, address string) (net.Conn, error)
	rest *http.Transport

	mu     sync.Mutex // guards the fields below
	idle   map[string][]*plainConn
	count  int         // of those
	expiry *time.Timer // closes those that are idle for too long; nil where none are
}

// plainConn is a connection; it has one request at a time.
type plainConn struct {
	net.Conn
	address string
	in      *bufio.Reader
	out     *bufio.Writer
	left    int64     // how many bytes the server may send yet
	until   time.Time // when reading fails
	since   time.Time // when it became idle
}

// Read reads for the buffer.
func (c *plainConn) Read(p []byte) (int, error) {
	if c.left <= 0 {
		return 0, errLongHeader
	}
	n, err := c.Conn.Read(p)
	c.left -= int64(n)
	return n, err
}

var errLongHeader = errors.New("the header of the response is too long")

// maxInformational is how many informational responses may come before the one that counts.
const maxInformational = 5

// RoundTrip is that of [http.RoundTripper].
func (p *plain) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Scheme != "http" || r.Body != http.NoBody && r.GetBody == nil || r.ContentLength > maxPlainBody {
		return p.rest.RoundTrip(r)
	}
	address := r.URL.Host
	if r.URL.Port() == "" {
		address = net.JoinHostPort(r.URL.Hostname(), "80")
	}
	for {
		c := p.take(address)
		used := c != nil
		if !used {
			nc, err := p.dial(r.Context(), "tcp", address)
			if err != nil {
				return nil, err
			}
			c = &plainConn{Conn: nc, address: address}
			c.in, c.out = bufio.NewReaderSize(c, 16<<10), bufio.NewWriter(nc)
		}
		response, err := p.ask(c, r)
		// The server may have closed a connection in the moment in which it was taken; one that is slow has the request.
		if err == nil || !used || !isSevered(err) || c.left < maxResponseHeader || r.Context().Err() != nil || !isSafe(r) {
			return response, err
		}
	}
}

// isSafe reports whether a request may be sent again, though the server may have seen it (RFC 9110, 9.2.2).
func isSafe(r *http.Request) bool {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace:
		return r.ContentLength == 0
	}
	return false
}

// ask makes the request on that connection.
func (p *plain) ask(c *plainConn, r *http.Request) (*http.Response, error) {
	b := &plainBody{pool: p, conn: c, ctx: r.Context()}
	b.stop = context.AfterFunc(b.ctx, b.cancel)
	response, err := c.roundTrip(r)
	if err == nil {
		err = b.ctx.Err() // roundTrip may have cleared the deadline that cancel had set
	}
	if err != nil {
		b.end(false)
		if cause := b.ctx.Err(); cause != nil {
			err = cause
		}
		return nil, err
	}
	b.body, b.keep = response.Body, !response.Close && response.StatusCode >= 200
	if response.Body = b; response.ContentLength == 0 || r.Method == http.MethodHead {
		b.end(true)
		b.err = io.EOF
	}
	return response, nil
}

// maxPlainBody is how large a request's body may be, in bytes: the server may answer before it has read all of it.
const maxPlainBody = 64 << 10

// roundTrip sends the request and reads the head of its response.
func (c *plainConn) roundTrip(r *http.Request) (*http.Response, error) {
	c.left = maxResponseHeader
	if time.Until(c.until) < headerPatience { // it may take a minute longer: setting it takes time, too
		if err := c.readUntil(time.Now().Add(headerPatience + time.Minute)); err != nil {
			return nil, err
		}
	}
	unsent := r.Write(c.out)
	if unsent == nil {
		unsent = c.out.Flush()
	} else if _, err := c.out.Write(nil); err != nil {
		unsent = err // the connection's own error, which Write hides in one of the body's
	}
	if unsent == nil {
		return c.readHead(r)
	}
	// A server that refuses a body may answer, and close, before it has read that.
	if r.ContentLength <= 0 || !isSevered(unsent) || r.Context().Err() != nil || c.readUntil(time.Now().Add(refusalPatience)) != nil {
		return nil, unsent
	}
	response, err := c.readHead(r)
	if err != nil {
		return nil, unsent
	}
	response.Close = true // the connection is of no use any more
	return response, nil
}

// refusalPatience is for how long an answer may take to come from a connection that takes nothing any more: it should be
// there already.
const refusalPatience = 200 * time.Millisecond

// isSevered reports whether an error says that the server has ended the connection.
func isSevered(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

// readHead reads the head of the response.
func (c *plainConn) readHead(r *http.Request) (*http.Response, error) {
	for range maxInformational + 1 {
		response, err := http.ReadResponse(c.in, r)
		if err != nil {
			return nil, err
		}
		if response.StatusCode >= 200 || response.StatusCode == http.StatusSwitchingProtocols {
			c.left = math.MaxInt64
			if n := response.ContentLength; n >= 0 && n <= int64(c.in.Buffered()) {
				return response, nil // nothing is read from the server any more
			}
			return response, c.readUntil(time.Time{})
		}
	}
	return nil, errors.New("there are too many informational responses")
}

// readUntil has reading fail at that time; the zero one is never.
func (c *plainConn) readUntil(t time.Time) error {
	c.until = t
	return c.SetReadDeadline(t)
}

// plainBody is the body of a response, and what has its connection until it ends.
type plainBody struct {
	pool *plain
	conn *plainConn
	ctx  context.Context
	stop func() bool
	body io.ReadCloser
	keep bool // the connection can serve again
	over atomic.Bool
	err  error // how reading has ended; the reader's own
}

// cancel has who uses the connection fail.
func (b *plainBody) cancel() { _ = b.conn.SetDeadline(time.Unix(1, 0)) }

// end gives the connection back; whole is whether all of the response was read.
func (b *plainBody) end(whole bool) {
	if b.over.Swap(true) {
		return
	}
	if b.stop() && whole && b.keep && b.conn.in.Buffered() == 0 {
		b.pool.put(b.conn)
		return
	}
	_ = b.conn.Close()
}

func (b *plainBody) Read(p []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	n, err := b.body.Read(p)
	if err == nil {
		return n, nil
	}
	b.end(err == io.EOF)
	if errors.Is(err, os.ErrDeadlineExceeded) && b.ctx.Err() != nil {
		err = b.ctx.Err()
	}
	b.err = err
	return n, err
}

// Close ends the response where it is.
func (b *plainBody) Close() error {
	b.end(false)
	return nil
}

// take gives a connection that serves nobody, and that the server has not closed; nil where there is none.
func (p *plain) take(address string) *plainConn {
	for {
		p.mu.Lock()
		list := p.idle[address]
		if len(list) == 0 {
			p.mu.Unlock()
			return nil
		}
		c := list[len(list)-1]
		p.removeLocked(c, len(list)-1)
		p.mu.Unlock()
		if c.quiet() {
			return c
		}
		_ = c.Close()
	}
}

func (p *plain) removeLocked(c *plainConn, at int) {
	list := p.idle[c.address]
	copy(list[at:], list[at+1:])
	list[len(list)-1] = nil
	if p.idle[c.address] = list[:len(list)-1]; len(list) == 1 {
		delete(p.idle, c.address)
	}
	p.count--
}

// quiet reports whether nothing has come since the last response: neither its end nor what nobody has asked for.
func (c *plainConn) quiet() bool {
	sc, ok := c.Conn.(syscall.Conn)
	if !ok {
		return false
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return false
	}
	quiet := false
	err = raw.Read(func(fd uintptr) bool {
		var b [1]byte
		_, _, err := unix.Recvfrom(int(fd), b[:], unix.MSG_PEEK|unix.MSG_DONTWAIT)
		quiet = err == unix.EAGAIN
		return true
	})
	return err == nil && quiet
}

// put keeps a connection for the next request.
func (p *plain) put(c *plainConn) {
	c.since = time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.count == idleConnections {
		p.expireLocked(1)
	}
	if p.idle == nil {
		p.idle = make(map[string][]*plainConn)
	}
	p.idle[c.address] = append(p.idle[c.address], c)
	p.count++
	if p.expiry == nil {
		p.expiry = time.AfterFunc(idleTimeout, p.expire)
	}
}

// expire closes what was idle for too long; a timer calls it.
func (p *plain) expire() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.expireLocked(0)
	p.expiry = nil
	if p.count > 0 {
		p.expiry = time.AfterFunc(idleTimeout/2, p.expire)
	}
}

// expireLocked closes what was idle for too long, and so many more at least, the oldest first.
func (p *plain) expireLocked(least int) {
	for p.count > 0 {
		var oldest *plainConn
		for _, list := range p.idle { // the first of each list is its oldest
			if oldest == nil || list[0].since.Before(oldest.since) {
				oldest = list[0]
			}
		}
		if least <= 0 && time.Since(oldest.since) < idleTimeout {
			return
		}
		least--
		p.removeLocked(oldest, 0)
		_ = oldest.Close()
	}
}

// CloseIdleConnections closes the connections that serve nobody.
func (p *plain) CloseIdleConnections() {
	p.mu.Lock()
	p.expireLocked(p.count)
	p.mu.Unlock()
	p.rest.CloseIdleConnections()
}
