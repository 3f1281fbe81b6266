package daemon

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

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

// conn is one connection. Its goroutine is that of serve; while an exchange is under
// way, the body may be read and the response written from others.
type conn struct {
	front   *Front
	nc      net.Conn
	raw     syscall.RawConn
	peer    netip.Addr // as the PROXY protocol has it, if that was used
	secure  bool       // … and it says that the client came by TLS
	trusted bool       // peer may speak for its clients

	// What has come and was not used yet is in.b[r:]. There is only a buffer while
	// there is need for one.
	in     *buffer
	r      int
	dst    []byte // where the read under way puts its bytes, if not into in
	got    int
	gotErr error
	onRead func(fd uintptr) bool

	wmu     sync.Mutex // guards what is below, while it is sent; order: h1.mu before it
	out     [3][]byte  // what is being sent
	outErr  error
	onWrite func(fd uintptr) bool

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

	prev, next *conn // guarded by Front.mu
	charged    int   // bytes of the head's buffer that count against the limit; the connection's own
}

func newConn(f *Front, nc net.Conn) (*conn, error) {
	sc, ok := nc.(syscall.Conn)
	if !ok {
		return nil, errors.New("the connection has no file descriptor")
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return nil, err
	}
	c := &conn{front: f, nc: nc, raw: raw, peer: addrOf(nc.RemoteAddr())}
	c.trusted = f.trust.believes(c.peer)
	c.onRead = c.tryRead
	c.onWrite = c.tryWrite
	return c, nil
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
	_ = c.nc.SetReadDeadline(longAgo)
	return true
}

var longAgo = time.Unix(1, 0)

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
		err := c.raw.Read(c.onRead)
		c.dst = nil
		if err == nil {
			err = c.gotErr
		}
		c.received.Add(int64(c.got))
		if !errors.Is(err, os.ErrDeadlineExceeded) || c.isExpired() || c.slowBody.Load() {
			return c.got, err
		}
		// It was given up when it had just moved on: the deadline is stale.
		if err := c.nc.SetReadDeadline(time.Time{}); err != nil {
			return 0, err
		}
	}
}

// tryRead is called by the poller: first at once, and whenever the socket is readable.
func (c *conn) tryRead(fd uintptr) bool {
	dst := c.dst
	borrowed := false
	if dst == nil {
		if c.in == nil {
			c.in, c.r = c.front.buffers.get(minBuffer), 0
			borrowed = true
		}
		dst = c.in.b[len(c.in.b):cap(c.in.b)]
	}
	n, err := retry(func() (int, error) { return unix.Read(int(fd), dst) })
	if err == nil && n > 0 {
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
	err := c.raw.Write(c.onWrite)
	c.out = [3][]byte{}
	if err == nil {
		err = c.outErr
	}
	if err != nil {
		c.leave()
	}
	return err
}

// tryWrite is called by the poller: first at once, and whenever the socket is writable.
func (c *conn) tryWrite(fd uintptr) bool {
	for len(c.out[0])+len(c.out[1])+len(c.out[2]) > 0 {
		n, err := retry(func() (int, error) {
			if len(c.out[1]) == 0 && len(c.out[2]) == 0 {
				return unix.Write(int(fd), c.out[0])
			}
			return unix.Writev(int(fd), c.out[:])
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
	c.gone = true
	if c.cancel != nil {
		c.cancel()
	}
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

// hungUp asks the system whether the client has closed its side.
func (c *conn) hungUp() bool {
	found := false
	err := c.raw.Control(func(fd uintptr) {
		fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLRDHUP}}
		n, err := retry(func() (int, error) { return unix.Poll(fds, 0) })
		found = err == nil && n > 0 && fds[0].Revents&(unix.POLLRDHUP|unix.POLLHUP|unix.POLLERR) != 0
	})
	return err == nil && found
}

// linger lets the client close first, so that what was sent to it isn't lost to the
// reset that closing with unread input causes.
func (c *conn) linger() {
	c.enter(phaseLinger)
	c.slowBody.Store(false)
	half, ok := c.nc.(interface{ CloseWrite() error })
	if !ok || half.CloseWrite() != nil {
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
	_ = c.nc.Close()
	c.front.buffers.put(c.in)
	c.in = nil
	c.front.settleHead(c)
}
