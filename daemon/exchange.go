package daemon

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"sync/atomic"
)

// Handler answers one request. It runs on a goroutine that serves other connections, too,
// until Block (HTTP/1), or on that of the stream (HTTP/2), and the exchange is over when it
// returns, unless it called Suspend: a response that was staged is sent then, one that was
// started is ended, and where there is neither the client gets a 500.
type Handler func(x *Exchange)

// Exchange is one request and its response. The exported fields are set before the
// handler runs; they are plain values that may be kept. Everything else ends when the
// handler returns.
//
// The methods may be called from any goroutine, but one at a time, and the handler
// must not return before the last call has. Body is apart: it may be read while a
// response is written. To close it has reads fail, also the one under way, and may be done
// at any time before the exchange is over.
type Exchange struct {
	ID     string     // request id, from a trusted proxy or made here
	Client netip.Addr // who asked, as far as trusted proxies can tell; invalid on a unix socket
	Proto  string     // "HTTP/1.0", "HTTP/1.1" or "HTTP/2.0"
	Method string
	Scheme string // "http" or "https", as the client used it
	Host   string // with the port, as the client wrote it; checked for its characters only
	Target string // path and query; begins with a slash
	Header Fields // without what proxies add, and with what is known instead
	Body   io.ReadCloser
	// ContentLength is the length of the body in bytes, 0 for none and -1 for a
	// chunked one.
	ContentLength int64

	// App is for the handler to set: the name that the access line carries.
	App string

	wire    wire
	next    func() // what Suspend was given
	turn    atomic.Int32
	url     string
	status  int   // of the response, 0 before there is one
	written int64 // bytes of the response's body
	over    bool  // no more can be written
	broken  bool  // the handler panicked
	// heldStatus is the status of a response that a lent writer holds back.
	heldStatus int
}

// wire is what carries an exchange: our own HTTP/1, or net/http's HTTP/2.
type wire interface {
	// respond stages a whole response; it doesn't block.
	respond(status int, header, body []byte)
	// start stages the head of a response whose body comes by write.
	start(status int, header []byte)
	write(p []byte) (int, error)
	flush() error
	abort()
	context() context.Context
	onGone(f func())
	// suspend lets go of an exchange whose handler has returned. It reports false where it
	// is resumed already, and goes on with the caller.
	suspend() bool
	// resume has somebody go on with an exchange that was let go.
	resume()
	http() (http.ResponseWriter, *http.Request)
}

var (
	errResponded = errors.New("the exchange has its response")
	errNoStart   = errors.New("the response has not been started")
)

// URL is the request's absolute URL as the client used it.
func (x *Exchange) URL() string { return x.url }

// Status is the status of the response, 0 while there is none.
func (x *Exchange) Status() int {
	if x.status == 0 {
		return x.heldStatus
	}
	return x.status
}

// Context is cancelled when the client goes away and when the handler has returned.
func (x *Exchange) Context() context.Context { return x.wire.context() }

// Respond stages a whole response: it copies header, in the form of [Fields], and
// body, doesn't block, and what it staged is sent when the handler returns. It fails,
// and nothing was staged, when there is a response already or when status or header
// can't be sent.
//
// What concerns the connection is not the handler's: Content-Length is set from body
// except for HEAD and 304, and Connection, Transfer-Encoding and their like are dropped.
func (x *Exchange) Respond(status int, header, body []byte) error {
	if err := x.begin(status, header); err != nil {
		return err
	}
	if bodyless(x.Method, status) {
		x.wire.respond(status, header, body)
		return nil
	}
	x.written = int64(len(body))
	x.wire.respond(status, header, body)
	return nil
}

// Start stages the head of a response whose body follows by Write. A Content-Length
// among the header's fields is kept, and must then be true.
func (x *Exchange) Start(status int, header []byte) error {
	if err := x.begin(status, header); err != nil {
		return err
	}
	x.wire.start(status, header)
	return nil
}

func (x *Exchange) begin(status int, header []byte) error {
	if x.status != 0 || x.over {
		return errResponded
	}
	if status < 200 || status > 999 {
		return fmt.Errorf("%d is not the status of a response", status)
	}
	if err := checkFields(header); err != nil {
		return err
	}
	x.status = status
	return nil
}

// Write sends a part of the body of a response that was started, and blocks until the
// system has taken it. For HEAD, 204 and 304 it sends nothing and succeeds.
func (x *Exchange) Write(p []byte) (int, error) {
	if x.status == 0 || x.over {
		return 0, errNoStart
	}
	if bodyless(x.Method, x.status) {
		return len(p), nil
	}
	n, err := x.wire.write(p)
	x.written += int64(n)
	return n, err
}

// Flush sends the head of a response that was started but has no body yet.
func (x *Exchange) Flush() error {
	if x.status == 0 || x.over {
		return errNoStart
	}
	return x.wire.flush()
}

// Whose turn it is to do something about an exchange.
const (
	turnRuns  int32 = iota // that of who runs the handler
	turnAgain              // … and it is to run again afterwards
	turnRests              // nobody's
)

// Suspend has the exchange go on after the handler has returned: next is called in its
// place as soon as Resume was, and may suspend again. No goroutine waits for that.
func (x *Exchange) Suspend(next func()) { x.next = next }

// Resume has the function called that Suspend was given, or will be. It may be called from
// any goroutine and at any time, as often as one likes, and doesn't block.
func (x *Exchange) Resume() {
	for {
		switch x.turn.Load() {
		case turnAgain:
			return
		case turnRuns:
			if x.turn.CompareAndSwap(turnRuns, turnAgain) {
				return
			}
		case turnRests:
			if x.turn.CompareAndSwap(turnRests, turnRuns) {
				x.wire.resume()
				return
			}
		}
	}
}

// OnGone has f called, on a goroutine of its own, if the client goes away before the
// exchange is over.
func (x *Exchange) OnGone(f func()) { x.wire.onGone(f) }

// Workers are those that serve the client's connection; nil for HTTP/2, which has none.
func (x *Exchange) Workers() *Workers {
	if h, ok := x.wire.(*h1); ok {
		return h.c.front.poller.shares[h.c.sock.share]
	}
	return nil
}

// Abort breaks off a response that can't be finished, so that the client sees that it
// is not whole.
func (x *Exchange) Abort() {
	x.over = true
	x.wire.abort()
}

// Block is for a handler that is about to wait for something else than the client, or to
// take more than a fraction of a millisecond: other connections don't wait for it then. It
// may be called again.
func (x *Exchange) Block() {
	if h, ok := x.wire.(*h1); ok {
		h.c.sock.block()
	}
}

// HTTP lends the exchange to code that speaks net/http: static files, WebSockets. A
// handler that answers through it uses none of the other methods but Context.
func (x *Exchange) HTTP() (http.ResponseWriter, *http.Request) { return x.wire.http() }

// bodyless reports whether a response has no body whatever its handler says.
func bodyless(method string, status int) bool {
	return method == http.MethodHead || status == http.StatusNoContent || status == http.StatusNotModified
}
