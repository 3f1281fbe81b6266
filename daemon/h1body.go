package daemon

import (
	"errors"
	"io"
	"net/http"
	"os"
	"sync"
	"sync/atomic"

	"github.com/nano-runtime/nano/daemon/http1"
)

// BodyStatus is the status with which to answer a request whose body could not be read,
// by the error of the read: 408 for a client that is too slow and 400 for one that
// breaks the rules; 0 if it is not for the client to know.
func BodyStatus(err error) int {
	if e := (*http1.Error)(nil); errors.As(err, &e) {
		return e.Status
	}
	return 0
}

// maxDiscard is how much of a body that the handler left is read, in bytes, to get to
// the next request.
const maxDiscard = 64 << 10

// bodyBuffer is the size of the buffer for chunked bodies, in bytes.
const bodyBuffer = 16 << 10

// h1Body reads the body of a request.
type h1Body struct {
	h      *h1
	mu     sync.Mutex // held while it is read; order: before h1.mu
	closed atomic.Bool

	left    int64 // of a body with a length; what is left to read for others, too, to see if it is too long
	chunked *http1.Chunked
	err     error // what all further reads return
}

// tooLong says that more may be left than is read to get to the next request.
func (b *h1Body) tooLong() bool {
	if !b.mu.TryLock() {
		return false // somebody still reads it
	}
	defer b.mu.Unlock()
	return b.err == nil && b.left > maxDiscard
}

// failure is the status for a body that could not be read, or otherwise.
func (b *h1Body) failure(otherwise int) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	if status := BodyStatus(b.err); status != 0 {
		return status
	}
	return otherwise
}

func (b *h1Body) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed.Load() {
		return 0, errOver
	}
	if len(p) == 0 || b.err != nil {
		return 0, b.err
	}
	n, err := b.readLocked(p)
	b.err = err
	if n > 0 && errors.Is(err, io.EOF) {
		err = nil
	}
	return n, err
}

// Close has reads fail from now on, the one under way too. What is left of the body is
// the front end's business.
func (b *h1Body) Close() error {
	b.closed.Store(true)
	if b.mu.TryLock() {
		b.mu.Unlock()
		return nil
	}
	b.h.close.Store(true)
	b.h.c.slowBody.Store(true) // the deadline is meant
	b.h.c.sock.interruptRead()
	return nil
}

// readLocked reads something, or fails. It returns io.EOF as soon as it is known.
func (b *h1Body) readLocked(p []byte) (int, error) {
	if len(b.h.c.buffered()) == 0 {
		if err := b.h.invite(); err != nil {
			return 0, err
		}
	}
	if b.chunked != nil {
		return b.readChunked(p)
	}
	c := b.h.c
	if int64(len(p)) > b.left {
		p = p[:b.left]
	}
	n := copy(p, c.buffered())
	if n > 0 {
		c.consume(n)
	} else {
		var err error
		if n, err = c.read(p); err != nil {
			return 0, b.broken(err)
		}
	}
	if b.left -= int64(n); b.left == 0 {
		return n, io.EOF
	}
	return n, nil
}

func (b *h1Body) readChunked(p []byte) (int, error) {
	c := b.h.c
	for {
		if data := c.buffered(); len(data) > 0 {
			n, used, done, bad := b.chunked.Decode(p, data)
			c.consume(used)
			switch {
			case bad != nil:
				b.h.close.Store(true)
				return n, bad
			case done:
				return n, io.EOF
			case n > 0:
				return n, nil
			}
		}
		c.reserve(bodyBuffer)
		if err := c.fill(); err != nil {
			return 0, b.broken(err)
		}
	}
}

// broken says why a body can't be read to its end.
func (b *h1Body) broken(err error) error {
	b.h.close.Store(true)
	if b.h.c.slowBody.Load() {
		return &http1.Error{Status: http.StatusRequestTimeout, Reason: "the body comes too slowly"}
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return errOver
	}
	b.h.c.leave()
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// end closes the body, interrupts who still reads it, and reads what is left of a short
// one. It reports whether the connection is at the next request now.
func (b *h1Body) end() bool {
	b.closed.Store(true)
	if !b.mu.TryLock() {
		b.h.c.slowBody.Store(true) // the deadline is meant
		b.h.c.sock.interruptRead()
		b.mu.Lock()
	}
	defer b.mu.Unlock()
	if b.err == nil && !b.h.close.Load() {
		b.discardLocked()
	}
	return errors.Is(b.err, io.EOF)
}

func (b *h1Body) discardLocked() {
	sink := b.h.c.front.buffers.get(minBuffer)
	defer b.h.c.front.buffers.put(sink)
	for total := 0; b.err == nil && total <= maxDiscard; {
		var n int
		n, b.err = b.readLocked(sink.full)
		total += n
	}
}

// invite sends the 100 that the client waits for before it sends the body, unless the
// response came first.
func (h *h1) invite() error {
	if !h.expect.Load() {
		return nil
	}
	h.mu.Lock()
	if h.begun || !h.expect.Swap(false) {
		h.mu.Unlock()
		return nil
	}
	h.c.wmu.Lock() // what is responded from now on comes after it; and staging that waits for no client
	defer h.c.wmu.Unlock()
	h.mu.Unlock()
	return h.c.writeLocked([]byte("HTTP/1.1 100 Continue\r\n\r\n"), nil, nil)
}
