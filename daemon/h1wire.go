package daemon

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nano-runtime/nano/daemon/http1"
	"golang.org/x/sys/unix"
)

// framing is how a response's body is told from what follows it.
type framing byte

const (
	framedWhole  framing = iota // it is staged with the head, or there is none
	framedLength                // a Content-Length was promised
	framedChunks
	framedClose // it goes on to the end of the connection
)

// h1 carries an exchange over HTTP/1.
type h1 struct {
	Exchange
	c     *conn
	minor int

	began  time.Time
	close  atomic.Bool // the connection ends with this exchange
	expect atomic.Bool // the client waits for a 100, which was not sent

	mu    sync.Mutex // guards what is below; it is held while something is sent
	frame framing
	left  int64   // of the body's promised length
	out   *buffer // staged; nil once it is sent
	begun bool    // the head has left, or is about to
	done  bool    // the handler has returned

	ctx    context.Context
	cancel context.CancelFunc
	body   h1Body
	lent   *h1Writer
	// givenTo is the connection for whoever hijacked it.
	givenTo *prefixed
}

func (h *h1) respond(status int, header, body []byte) {
	h.mu.Lock()
	defer h.mu.Unlock()
	length := int64(len(body))
	if bodyless(h.Method, status) {
		length = promisedLength(status, header)
		if length < 0 && h.Method == http.MethodHead && len(body) > 0 {
			length = int64(len(body))
		}
		body = nil
	}
	h.stageLocked(http1.Response{Status: status, Header: header, Length: length}, len(body))
	h.out.b = append(h.out.b, body...)
}

func (h *h1) start(status int, header []byte) {
	h.mu.Lock()
	defer h.mu.Unlock()
	res := http1.Response{Status: status, Header: header, Length: promisedLength(status, header)}
	switch {
	case bodyless(h.Method, status):
	case res.Length >= 0:
		h.frame, h.left = framedLength, res.Length
	case h.minor > 0:
		h.frame, res.Chunked = framedChunks, true
	default:
		h.frame = framedClose
		h.close.Store(true)
	}
	h.stageLocked(res, 0)
}

// stageLocked stages a head, with room for more bytes behind it.
func (h *h1) stageLocked(res http1.Response, more int) {
	// A client that was not told to send its body may leave it out, and one with a
	// long way to go is not waited for: where the next request begins is anyone's
	// guess.
	if h.expect.Load() || h.body.tooLong() || h.c.front.isDraining() {
		h.close.Store(true)
	}
	res.Minor, res.Close, res.Date = h.minor, h.close.Load(), *h.c.front.date.Load()
	h.c.front.buffers.put(h.out)
	h.out = h.c.front.buffers.get(len(res.Header)*2 + 512 + more)
	h.out.b = res.AppendTo(h.out.b)
	h.begun = true
}

// promisedLength is the Content-Length among a response's fields, -1 if there is no
// valid one or there must not be one.
func promisedLength(status int, header []byte) int64 {
	if status == http.StatusNoContent {
		return -1
	}
	for len(header) > 0 {
		var name, value []byte
		name, value, header, _ = http1.CutField(header)
		if string(name) == "content-length" {
			if n, err := strconv.ParseUint(string(value), 10, 63); err == nil {
				return int64(n)
			}
			return -1
		}
	}
	return -1
}

var (
	errOver    = errors.New("the exchange is over")
	errTooLong = errors.New("the response is longer than its Content-Length")
)

func (h *h1) write(p []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.done:
		return 0, errOver
	case len(p) == 0:
		return 0, nil
	case h.frame == framedWhole:
		return 0, errResponded
	case h.frame == framedLength && int64(len(p)) > h.left:
		h.close.Store(true)
		return 0, errTooLong
	}
	var head, tail []byte
	if h.out != nil {
		head = h.out.b
	}
	switch h.frame {
	case framedLength:
		h.left -= int64(len(p))
	case framedChunks:
		if h.out == nil {
			h.out = h.c.front.buffers.get(minBuffer)
			head = h.out.b
		}
		head = http1.AppendChunk(head, len(p))
		tail = crlf
	}
	err := h.sendLocked(head, p, tail)
	h.c.front.buffers.put(h.out)
	h.out = nil
	if err != nil {
		h.close.Store(true)
		return 0, err
	}
	return len(p), nil
}

var crlf = []byte("\r\n")

// sendLocked sends parts of a response; those after the first may be empty.
func (h *h1) sendLocked(a, b, z []byte) error {
	if len(a) == 0 {
		a, b = b, nil
	}
	h.c.wmu.Lock()
	defer h.c.wmu.Unlock()
	return h.c.writeLocked(a, b, z)
}

func (h *h1) flush() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.done {
		return errOver
	}
	return h.flushLocked()
}

func (h *h1) flushLocked() error {
	if h.out == nil {
		return nil
	}
	err := h.sendLocked(h.out.b, nil, nil)
	h.c.front.buffers.put(h.out)
	h.out = nil
	if err != nil {
		h.close.Store(true)
	}
	return err
}

func (h *h1) abort() { h.close.Store(true) }

func (h *h1) suspend() bool {
	w := h.c.sock.worker.Swap(nil)
	if h.Exchange.suspend() {
		return true
	}
	h.c.sock.worker.Store(w)
	return false
}

func (h *h1) resume() { h.c.sock.poller.submit(h.c.sock.share, h) }

func (h *h1) onGone(f func()) {
	h.c.goneMu.Lock()
	defer h.c.goneMu.Unlock()
	h.c.onGone = f
	if h.c.gone {
		go f()
	}
}

func (h *h1) context() context.Context {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.ctx == nil {
		h.ctx, h.cancel = h.c.newContext()
		if h.done {
			h.cancel()
		}
	}
	return h.ctx
}

// finish ends the exchange when the handler has returned. It reports whether the
// connection goes on.
func (h *h1) finish() bool {
	if h.lent != nil {
		if h.givenTo != nil {
			// The front end still knows it, so that a drain waits for it.
			h.c.sock.block()
			<-h.givenTo.closed
			return false
		}
		if !h.broken {
			h.lent.finish()
		}
	}
	if h.status == 0 && !h.over {
		_ = h.Respond(h.body.failure(http.StatusInternalServerError), nil, nil)
	}
	err := h.endResponse()
	readAll := h.body.end()
	if h.cancel != nil {
		h.cancel()
	}
	h.c.settle()
	switch {
	case h.over || err != nil:
		h.c.breakOff(h.frame == framedClose)
		return false
	case !readAll, h.close.Load() && len(h.c.buffered()) > 0:
		h.c.linger()
		return false
	}
	return !h.close.Load()
}

// endResponse sends what is left of the response.
func (h *h1) endResponse() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.done = true
	if h.over {
		h.c.front.buffers.put(h.out)
		h.out = nil
		return nil
	}
	if h.frame == framedLength && h.left > 0 {
		return errors.New("the response is shorter than its Content-Length")
	}
	if h.frame == framedChunks {
		if h.out == nil {
			h.out = h.c.front.buffers.get(minBuffer)
		}
		h.out.b = append(h.out.b, "0\r\n\r\n"...)
	}
	return h.flushLocked()
}

// breakOff ends a connection in the middle of a response. Where the end of the
// connection is the end of the body, only a reset tells that it isn't whole.
func (c *conn) breakOff(reset bool) {
	if reset {
		_ = unix.SetsockoptLinger(c.sock.fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
	}
}
