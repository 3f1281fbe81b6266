package load

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// What a connection does.
type connState int

const (
	connClosed     connState = iota
	connConnecting           // its request is sent once it is writable
	connSending              // the socket took a part of the request
	connReading
	connIdle
)

// conn is one connection, or the place for one.
type conn struct {
	index   int32 // what epoll gives back
	fd      int
	state   connState
	due     time.Time // when the request was to be sent
	request []byte
	unsent  []byte
	parser  parser
}

// generator drives all connections of a plan from one thread.
type generator struct {
	plan   Plan
	epoll  int
	conns  []conn
	free   []*conn // that have no request, last used last
	events []unix.EpollEvent
	buffer []byte
	result Result

	start, end time.Time
	sent       int // requests given to a connection
	inFlight   int
	inTime     int // right answers before end
}

func newGenerator(plan Plan) (*generator, error) {
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("epoll_create1: %w", err)
	}
	g := &generator{
		plan:   plan,
		epoll:  epoll,
		conns:  make([]conn, plan.Conns),
		events: make([]unix.EpollEvent, plan.Conns),
		buffer: make([]byte, 256<<10),
	}
	for i := range g.conns {
		g.conns[i] = conn{index: int32(i), fd: -1}
	}
	return g, nil
}

func (g *generator) close() {
	for i := range g.conns {
		g.closeConn(&g.conns[i])
	}
	unix.Close(g.epoll)
}

func (g *generator) run(ctx context.Context) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	// Sleeps of epoll are 50 µs too long otherwise; what is due is sent late.
	if err := unix.Prctl(unix.PR_SET_TIMERSLACK, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("prctl: %w", err)
	}
	if g.plan.KeepAlive {
		if err := g.connectAll(); err != nil {
			return err
		}
	}
	for i := range g.conns {
		g.free = append(g.free, &g.conns[i])
	}
	busy := threadTime()
	g.start = time.Now()
	g.end = g.start.Add(g.plan.For)
	now := g.start
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		wait := g.send(now)
		if g.inFlight == 0 && g.finished(now) {
			break
		}
		if now.After(g.end.Add(drainTime)) {
			lost := g.inFlight
			if g.plan.Rate > 0 {
				lost += g.unsent()
			}
			g.fail(fmt.Errorf("%d requests got no answer in %v", lost, drainTime))
			g.result.Errors += lost - 1
			break
		}
		n, err := g.wait(wait)
		if err != nil {
			return err
		}
		for _, event := range g.events[:n] {
			g.handle(&g.conns[event.Fd], event.Events)
		}
		now = time.Now()
	}
	took := min(now.Sub(g.start), g.plan.For)
	g.result.Throughput = float64(g.inTime) / took.Seconds()
	g.result.Busy = float64(threadTime()-busy) / float64(now.Sub(g.start))
	return nil
}

// finished reports whether no more requests are to be sent.
func (g *generator) finished(now time.Time) bool {
	if g.plan.Rate > 0 { // what is due is sent, however late
		return g.unsent() <= 0
	}
	return !now.Before(g.end) || g.plan.Count > 0 && g.sent >= g.plan.Count
}

// unsent is how many requests of a plan with a rate are still to be sent.
func (g *generator) unsent() int {
	all := int(g.plan.Rate * g.plan.For.Seconds())
	if g.plan.Count > 0 {
		all = min(all, g.plan.Count)
	}
	return all - g.sent
}

// send gives requests to free connections as the plan says, and returns how long
// to wait for what happens on connections.
func (g *generator) send(now time.Time) time.Duration {
	for {
		if g.finished(now) {
			return time.Second
		}
		due := now
		if g.plan.Rate > 0 {
			due = g.start.Add(time.Duration(float64(g.sent) / g.plan.Rate * float64(time.Second)))
			if due.After(now) {
				return due.Sub(now)
			}
		}
		if len(g.free) == 0 {
			return time.Second
		}
		c := g.free[len(g.free)-1]
		g.free = g.free[:len(g.free)-1]
		c.due = due
		c.request = g.plan.Requests[g.sent%len(g.plan.Requests)]
		g.sent++
		g.inFlight++
		if err := g.startRequest(c); err != nil {
			g.failConn(c, err)
			return time.Millisecond // a server that is gone is no reason to spin
		}
	}
}

func (g *generator) startRequest(c *conn) error {
	c.unsent = c.request
	c.parser.reset()
	if c.state == connIdle {
		return g.write(c)
	}
	return g.connect(c)
}

// handle does what an event allows.
func (g *generator) handle(c *conn, events uint32) {
	switch c.state {
	case connConnecting:
		if code, err := unix.GetsockoptInt(c.fd, unix.SOL_SOCKET, unix.SO_ERROR); err != nil || code != 0 {
			g.failConn(c, fmt.Errorf("cannot connect: %w", errors.Join(err, unix.Errno(code))))
			return
		}
		if err := g.write(c); err != nil {
			g.failConn(c, err)
		}
	case connSending:
		if events&unix.EPOLLOUT != 0 {
			if err := g.write(c); err != nil {
				g.failConn(c, err)
			}
			return
		}
		fallthrough
	case connReading:
		if err := g.read(c); err != nil {
			g.failConn(c, err)
		}
	case connIdle:
		// The server has closed it, which it may; the next request connects.
		g.closeConn(c)
	}
}

func (g *generator) write(c *conn) error {
	n, err := unix.Write(c.fd, c.unsent)
	if err != nil && !errors.Is(err, unix.EAGAIN) {
		return fmt.Errorf("cannot send: %w", err)
	}
	c.unsent = c.unsent[max(n, 0):]
	was := c.state
	c.state = connReading
	if len(c.unsent) > 0 {
		c.state = connSending
	}
	if (was == connConnecting || was == connSending) != (c.state == connSending) {
		return g.watch(c, unix.EPOLL_CTL_MOD)
	}
	return nil
}

func (g *generator) read(c *conn) error {
	for {
		n, err := unix.Read(c.fd, g.buffer)
		switch {
		case errors.Is(err, unix.EAGAIN):
			return nil
		case err != nil:
			return fmt.Errorf("cannot receive: %w", err)
		case n == 0 && c.parser.state == readUntilClose:
			g.finish(c)
			return nil
		case n == 0:
			return fmt.Errorf("the connection was closed: %w", io.ErrUnexpectedEOF)
		}
		used, done, err := c.parser.feed(g.buffer[:n])
		if err != nil {
			return err
		}
		if done {
			if used < n {
				return fmt.Errorf("%d bytes too many", n-used)
			}
			g.finish(c)
			return nil
		}
		if n < len(g.buffer) {
			return nil
		}
	}
}

// finish counts an answer and frees its connection.
func (g *generator) finish(c *conn) {
	now := time.Now()
	p := &c.parser
	if p.status != g.plan.Status || g.plan.Body >= 0 && p.body != int64(g.plan.Body) {
		g.failConn(c, fmt.Errorf("status %d with %d bytes, not %d with %d", p.status, p.body, g.plan.Status, g.plan.Body))
		return
	}
	g.result.Done++
	g.result.Latency.Add(now.Sub(c.due))
	if !now.After(g.end) {
		g.inTime++
	}
	if p.closes || !g.plan.KeepAlive {
		g.closeConn(c)
	} else {
		c.state = connIdle
	}
	g.inFlight--
	g.free = append(g.free, c)
}

// fail counts a failed request.
func (g *generator) fail(err error) {
	g.result.Errors++
	if g.result.FirstError == nil {
		g.result.FirstError = err
	}
}

// failConn counts a connection's request as failed and frees the connection.
func (g *generator) failConn(c *conn, err error) {
	g.fail(err)
	g.closeConn(c)
	g.inFlight--
	g.free = append(g.free, c)
}
