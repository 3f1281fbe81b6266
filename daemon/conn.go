package daemon

import (
	"context"
	"errors"
	"io"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// A phase is what a connection is about. In the first four it can be given up at no
// loss: the client has no request under way that was read.
type phase uint64

const (
	phaseFresh  phase = iota // nothing has come yet
	phaseIdle                // between requests
	phaseHead                // a head has begun
	phaseLinger              // the last response is out; the client is to close first
	phaseBusy                // an exchange is under way
	phaseOther               // HTTP/2, or lent to a WebSocket: it looks after itself

	phaseMask   = 0x7
	expired     = 0x8 // the connection was given up in this phase
	phaseSerial = 0x10
)

// conn is one connection. While it rests it has no goroutine; else that is the one of
// serve, and while an exchange is under way, the body may be read and the response written
// from others.
type conn struct {
	front   *Front
	sock    socket
	remote  netip.Addr // who is at the other end; invalid of a unix socket
	peer    netip.Addr // … as the PROXY protocol has it, if that was used
	secure  bool       // … and it says that the client came by TLS
	trusted bool       // peer may speak for its clients
	met     bool       // the first bytes have come: it is HTTP/1
	blank   bool       // an empty line came before the head

	// What has come and was not used yet is in.b[r:]. There is only a buffer while
	// there is need for one.
	in     *buffer
	r      int
	dst    []byte // where the read under way puts its bytes, if not into in
	got    int
	gotErr error
	onRead func(fd int) bool

	wmu     sync.Mutex // guards what is below, while it is sent; order: h1.mu before it
	out     [3][]byte  // what is being sent
	outErr  error
	onWrite func(fd int) bool

	// Written by the connection, read by the reaper.
	phase     atomic.Uint64 // serial<<4 | expired | phase
	waitBody  atomic.Bool   // an exchange waits for the client to send
	waitWrite atomic.Bool   // … to take
	received  atomic.Int64  // bytes
	sent      atomic.Int64

	// Written by the reaper.
	slowBody atomic.Bool
	watch    watch

	evicted atomic.Bool // it was given up for another connection

	goneMu sync.Mutex
	gone   bool // the client has closed, at least its side
	cancel context.CancelFunc
	onGone func() // of the exchange under way

	prev, next *conn // guarded by Front.mu
	charged    int   // bytes of the head's buffer that count against the limit; the connection's own
}

// newConn takes over a connected, non-blocking socket; nothing happens to it before the
// poller knows it.
func newConn(f *Front, fd int, remote netip.Addr) *conn {
	c := &conn{front: f, remote: remote, peer: remote}
	c.sock = socket{fd: fd, poller: f.poller, serve: c.serve, resting: true}
	c.trusted = f.trust.believes(c.peer)
	c.onRead = c.tryRead
	c.onWrite = c.tryWrite
	return c
}

// enter begins a phase. It reports whether the phase before was given up.
func (c *conn) enter(p phase) (wasExpired bool) {
	old := c.phase.Load()
	for {
		next := (old &^ (phaseSerial - 1)) + phaseSerial + uint64(p)
		if c.phase.CompareAndSwap(old, next) {
			return old&expired != 0
		}
		old = c.phase.Load()
	}
}

func (c *conn) isExpired() bool { return c.phase.Load()&expired != 0 }

// expire gives up a connection that is still in the phase that the caller saw. It
// reports whether it was.
func (c *conn) expire(seen uint64) bool {
	if phase(seen&phaseMask) >= phaseBusy || seen&expired != 0 || !c.phase.CompareAndSwap(seen, seen|expired) {
		return false
	}
	c.sock.interruptRead()
	return true
}

// buffered is what has come and was not used yet.
func (c *conn) buffered() []byte {
	if c.in == nil {
		return nil
	}
	return c.in.b[c.r:]
}

// consume uses up the first n bytes of what is buffered.
func (c *conn) consume(n int) {
	if c.r += n; c.r == len(c.in.b) {
		c.front.buffers.put(c.in)
		c.in, c.r = nil, 0
	}
}

// reserve makes room for size bytes buffered in all.
func (c *conn) reserve(size int) {
	if c.in == nil {
		c.in = c.front.buffers.get(size)
		return
	}
	if cap(c.in.b) >= size {
		if c.r > 0 {
			c.in.b = c.in.b[:copy(c.in.b, c.in.b[c.r:])]
			c.r = 0
		}
		return
	}
	bigger := c.front.buffers.get(size)
	bigger.b = append(bigger.b, c.in.b[c.r:]...)
	c.front.buffers.put(c.in)
	c.in, c.r = bigger, 0
}

// fill waits until more has come and adds it to what is buffered. There must be room;
// if there is no buffer yet, there is none either until something comes.
func (c *conn) fill() error {
	_, err := c.read(nil)
	return err
}

// read waits for bytes and reads them into p, past what is buffered; or into the
// buffer, if p is nil.
func (c *conn) read(p []byte) (int, error) {
	for {
		c.dst, c.got, c.gotErr = p, 0, nil
		err := c.sock.read(c.onRead)
		c.dst = nil
		if err == nil {
			err = c.gotErr
		}
		c.received.Add(int64(c.got))
		if !errors.Is(err, os.ErrDeadlineExceeded) || c.slowBody.Load() {
			return c.got, err
		}
		if c.isExpired() {
			if p == nil && c.revive() {
				return c.got, nil
			}
			return 0, err
		}
		c.resume()
	}
}

// fillOrRest is fill where there is nothing buffered: it doesn't wait, but lets the
// connection rest. It is no longer the caller's then.
func (c *conn) fillOrRest() (rests bool, err error) {
	for !c.sock.rest() {
		if c.sock.look() {
			c.dst, c.got, c.gotErr = nil, 0, nil
			if c.tryRead(c.sock.fd) {
				c.received.Add(int64(c.got))
				return false, c.gotErr
			}
		} else if c.isExpired() {
			if c.revive() {
				return false, nil
			}
			return false, os.ErrDeadlineExceeded
		} else {
			c.resume()
		}
	}
	return true, nil
}

// resume lets a connection read on that was given up when it had just moved on: the
// interruption is stale.
func (c *conn) resume() {
	c.sock.resumeRead()
	if c.isExpired() { // and then once more
		c.sock.interruptRead()
	}
}

// revive takes back that the connection was given up for having no request, where one
// has come that nobody had read yet.
func (c *conn) revive() bool {
	now := phase(c.phase.Load() & phaseMask)
	if now != phaseFresh && now != phaseIdle || len(c.buffered()) > 0 || !c.tryRead(c.sock.fd) || c.gotErr != nil {
		return false
	}
	c.received.Add(int64(c.got))
	c.evicted.Store(false)
	c.sock.resumeRead()
	c.enter(now)
	return true
}

// tryRead reads once. It reports whether there was anything to read.
func (c *conn) tryRead(fd int) bool {
	dst := c.dst
	borrowed := false
	if dst == nil {
		if c.in == nil {
			c.in, c.r = c.front.buffers.get(minBuffer), 0
			borrowed = true
		}
		dst = c.in.b[len(c.in.b):cap(c.in.b)]
	}
	n, err := retry(func() (int, error) { return unix.Read(fd, dst) })
	if err == nil && n > 0 {
		if n == len(dst) {
			c.sock.noteMore()
		}
		if c.dst == nil {
			c.in.b = c.in.b[:len(c.in.b)+n]
		}
		c.got = n
		c.waitBody.Store(false)
		return true
	}
	if borrowed {
		c.front.buffers.put(c.in)
		c.in = nil
	}
	if errors.Is(err, unix.EAGAIN) {
		c.waitBody.Store(true)
		return false
	}
	if c.gotErr = err; err == nil {
		c.gotErr = io.EOF
	}
	return true
}

// retry calls a system call again that a signal has interrupted.
func retry(call func() (int, error)) (int, error) {
	for {
		n, err := call()
		if err != unix.EINTR {
			return n, err
		}
	}
}

// writeLocked sends a, b and z, and waits until the system has taken them.
func (c *conn) writeLocked(a, b, z []byte) error {
	c.out, c.outErr = [3][]byte{a, b, z}, nil
	err := c.sock.write(c.onWrite)
	c.out = [3][]byte{}
	if err == nil {
		err = c.outErr
	}
	if err != nil {
		c.leave()
	}
	return err
}

// tryWrite writes what the system takes. It reports whether that was all.
func (c *conn) tryWrite(fd int) bool {
	for len(c.out[0])+len(c.out[1])+len(c.out[2]) > 0 {
		n, err := retry(func() (int, error) {
			if len(c.out[1]) == 0 && len(c.out[2]) == 0 {
				return unix.Write(fd, c.out[0])
			}
			return unix.Writev(fd, c.out[:])
		})
		if errors.Is(err, unix.EAGAIN) {
			c.waitWrite.Store(true)
			return false
		}
		if err != nil {
			c.outErr = err
			break
		}
		c.sent.Add(int64(n))
		for i, b := range c.out {
			k := min(n, len(b))
			c.out[i], n = b[k:], n-k
		}
	}
	c.waitWrite.Store(false)
	return true
}

// leave notes that the client is gone.
func (c *conn) leave() {
	c.goneMu.Lock()
	defer c.goneMu.Unlock()
	if c.onGone != nil && !c.gone {
		go c.onGone()
	}
	c.gone = true
	if c.cancel != nil {
		c.cancel()
	}
}

// settle ends what an exchange wants to know of the connection.
func (c *conn) settle() {
	c.goneMu.Lock()
	defer c.goneMu.Unlock()
	c.onGone = nil
}

// newContext makes the context of an exchange.
func (c *conn) newContext() (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(context.Background())
	c.goneMu.Lock()
	defer c.goneMu.Unlock()
	c.cancel = cancel
	if c.gone {
		cancel()
	}
	return ctx, cancel
}

// linger lets the client close first, so that what was sent to it isn't lost to the
// reset that closing with unread input causes.
func (c *conn) linger() {
	c.enter(phaseLinger)
	c.slowBody.Store(false)
	if unix.Shutdown(c.sock.fd, unix.SHUT_WR) != nil {
		return
	}
	sink := c.front.buffers.get(minBuffer)
	defer c.front.buffers.put(sink)
	for left := int64(maxLinger); left > 0; {
		n, err := c.read(sink.full)
		if err != nil {
			return
		}
		left -= int64(n)
	}
}

// maxLinger is how many bytes a client may send after its last response.
const maxLinger = 1 << 20

// close gives the connection and its memory back.
func (c *conn) close() {
	c.leave()
	c.sock.close()
	c.front.buffers.put(c.in)
	c.in = nil
	c.front.settleHead(c)
}
