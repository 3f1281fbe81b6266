package daemon

import (
	"net/netip"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nano-runtime/nano/daemon/http1"
)

// limits bound what clients can make the process hold.
type limits struct {
	head http1.Limits
	// conns is how many connections are open at once. At the limit the ones that
	// wait longest for a request are given up for new ones; where all have one, new
	// ones wait in the system's queue.
	conns int
	// perClient is how many of them one address has (of IPv6: one /64), unless it is
	// a trusted proxy's.
	perClient int
	http2     int // connections that speak HTTP/2
	heads     int // bytes of all heads together that don't fit the smallest buffer
}

func defaultLimits() limits {
	conns := maxConns()
	return limits{
		head:      http1.Limits{Head: 32 << 10, Target: 16 << 10, Fields: 200},
		conns:     conns,
		perClient: conns / 2,
		http2:     max(conns/16, 16),
		heads:     64 << 20,
	}
}

// maxConns leaves half of the file descriptors to apps and their files.
func maxConns() int {
	var r syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &r); err != nil {
		return 512
	}
	return int(min(max(r.Cur/2, 64), 16384))
}

// accept takes a connection in and serves it.
func (f *Front) accept(fd int, remote netip.Addr) {
	c := newConn(f, fd, remote)
	if !f.admit(c) {
		_ = unix.Close(fd)
		return
	}
	if err := c.sock.open(); err != nil {
		f.opts.Log.Error("cannot serve a connection", "error", err)
		f.forget(c)
	}
}

// admit puts a connection on the list, unless its client has too many that are busy.
func (f *Front) admit(c *conn) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	key, counted := c.client()
	if counted {
		if f.perClient[key] >= f.limits.perClient && !f.giveUpLocked(key) {
			f.refuses.Add(1)
			return false
		}
		f.perClient[key]++
	}
	f.count++
	if f.first == nil {
		c.prev, c.next = c, c
		f.first, f.hand = c, c
		return true
	}
	last := f.first.prev
	c.prev, c.next = last, f.first
	last.next, f.first.prev = c, c
	return true
}

// client is whose connection it is, for counting.
func (c *conn) client() (key netip.Addr, counted bool) {
	addr := c.remote
	if !addr.IsValid() || c.front.trust.believes(addr) {
		return addr, false
	}
	if addr.Is6() {
		prefix, err := addr.Prefix(64)
		if err != nil {
			return addr, true
		}
		return prefix.Addr(), true
	}
	return addr, true
}

// forget takes a connection off the list and closes it.
func (f *Front) forget(c *conn) {
	c.close()
	f.mu.Lock()
	defer f.mu.Unlock()
	if key, counted := c.client(); counted {
		if f.perClient[key]--; f.perClient[key] == 0 {
			delete(f.perClient, key)
		}
	}
	f.count--
	c.prev.next, c.next.prev = c.next, c.prev
	switch {
	case f.count == 0:
		f.first, f.hand = nil, nil
	case f.first == c:
		f.first = c.next
	}
	if f.hand == c {
		f.hand = c.next
	}
	if f.left != nil {
		close(f.left)
		f.left = nil
	}
	f.checkDrainedLocked()
}

// list appends all connections to conns.
func (f *Front) list(conns []*conn) []*conn {
	f.mu.Lock()
	defer f.mu.Unlock()
	c := f.first
	for range f.count {
		conns = append(conns, c)
		c = c.next
	}
	return conns
}

// awaitRoom waits until there is room for the connection that was accepted, and makes
// it if it can.
func (f *Front) awaitRoom() {
	for {
		f.mu.Lock()
		if f.count < f.limits.conns || f.isDraining() {
			f.mu.Unlock()
			return
		}
		f.giveUpLocked(netip.Addr{})
		if f.left == nil {
			f.left = make(chan struct{})
		}
		left := f.left
		f.mu.Unlock()
		select {
		case <-left:
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// searched is how many connections are looked at for one to give up. The search goes
// round, so that all get their turn.
const searched = 128

// giveUpLocked gives up a connection that waits for a request, of those it looks at the
// one that has waited longest; if there is a client, one of the client's. It reports
// whether there was one.
func (f *Front) giveUpLocked(client netip.Addr) bool {
	var best *conn
	var bestWord uint64
	for range min(searched, f.count) {
		c := f.hand
		f.hand = c.next
		word := c.phase.Load()
		if phase(word&phaseMask) >= phaseBusy || word&expired != 0 {
			continue
		}
		if client.IsValid() {
			if key, _ := c.client(); key != client {
				continue
			}
		}
		if best == nil || c.watch.ticks.Load() > best.watch.ticks.Load() {
			best, bestWord = c, word
		}
	}
	if best == nil {
		return false
	}
	best.evicted.Store(true) // before it is served for that
	if !best.expire(bestWord) {
		best.evicted.Store(false)
		return false
	}
	return true
}

// growHead makes room for more of a head that has filled its buffer. It reports whether
// there is memory for that.
func (f *Front) growHead(c *conn) bool {
	if c.r > 0 {
		c.reserve(cap(c.in.b))
		return true
	}
	size := 2 * cap(c.in.b)
	f.mu.Lock()
	ok := f.heads+size-c.charged <= f.limits.heads
	if ok {
		f.heads += size - c.charged
		c.charged = size
	}
	f.mu.Unlock()
	if ok {
		c.reserve(size)
	}
	return ok
}

// settleHead gives back what growHead has charged the connection for.
func (f *Front) settleHead(c *conn) {
	if c.charged == 0 {
		return
	}
	f.mu.Lock()
	f.heads -= c.charged
	f.mu.Unlock()
	c.charged = 0
}
