package daemon

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// poller tells sockets that something has come, and has workers serve those that rest. A
// worker is a goroutine that takes what has happened, serves one after the other on the
// spot, and sends the answers at the end: a request that needs no waiting costs no change
// of goroutines, and wakes no thread but the client's. Each worker has its share of the
// sockets. Whoever is about to wait gives the role of a worker to another goroutine, as a
// thread in Go's runtime gives its P away in a system call; from those that forget to, a
// watch takes it.
//
// Sockets are registered edge-triggered (epoll(7)): an event is a hint that there may be
// something new, and one that is late or stale does no harm.
type poller struct {
	epolls []int // one a worker
	bells  []int // eventfds, one a worker: they ring when there is something else to do
	shares []*Workers

	mu      sync.Mutex     // guards what is below; it is the last to be taken
	sockets []*socket      // by file descriptor
	serial  int32          // of the socket that was added last
	workers []*worker      // those that have the role, one for each of epolls
	spares  []chan *worker // goroutines that wait for it; their stacks have grown
	running int            // goroutines that have it, had it or wait for it
	closed  bool

	asleep atomic.Bool   // nothing has happened for a while: the watch sleeps
	wake   chan struct{} // wakes it
	done   chan struct{}
}

const (
	// maxEvents is how many events a worker takes at once.
	maxEvents = 32
	// watchEvery is how often the watch looks: what is served for longer than that, and
	// without notice, delays others by twice as much at the most.
	watchEvery = 2 * time.Millisecond
	// watchLinger is for how many looks it goes on when nothing happens.
	watchLinger = 50
	// maxSpares is how many goroutines are kept for the role.
	maxSpares = 256
)

// newPoller makes a poller with so many workers.
func newPoller(workers int) (_ *poller, err error) {
	p := &poller{wake: make(chan struct{}, 1), done: make(chan struct{}), workers: make([]*worker, workers)}
	defer func() {
		if err != nil {
			p.release()
		}
	}()
	for range workers {
		epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
		if err != nil {
			return nil, fmt.Errorf("cannot make an epoll instance: %w", err)
		}
		p.epolls = append(p.epolls, epoll)
		bell, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
		if err != nil {
			return nil, fmt.Errorf("cannot make an eventfd: %w", err)
		}
		p.bells = append(p.bells, bell)
		p.shares = append(p.shares, &Workers{p, len(p.shares)})
		ring := &unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLET, Fd: int32(bell)}
		if err := unix.EpollCtl(epoll, unix.EPOLL_CTL_ADD, bell, ring); err != nil {
			return nil, fmt.Errorf("cannot watch an eventfd: %w", err)
		}
	}
	for share := range workers {
		p.appoint(&worker{poller: p, share: share})
	}
	go p.watch()
	return p, nil
}

// release gives the poller's own descriptors back.
func (p *poller) release() {
	for _, fd := range append(p.epolls, p.bells...) {
		_ = unix.Close(fd)
	}
}

// close ends the workers. There must be no sockets any more.
func (p *poller) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return
	}
	p.closed = true
	close(p.done)
	for _, spare := range p.spares {
		close(spare)
	}
	p.spares = nil
	for _, w := range p.workers {
		w.ring()
	}
}

func (p *poller) isClosed() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.closed
}

// add begins to watch a socket.
func (p *poller) add(s *socket) error {
	p.mu.Lock()
	p.serial++
	s.serial = p.serial
	s.share = int(uint32(s.serial) % uint32(len(p.epolls)))
	for s.fd >= len(p.sockets) {
		p.sockets = append(p.sockets, nil)
	}
	p.sockets[s.fd] = s
	p.mu.Unlock()
	return p.control(s, unix.EPOLL_CTL_ADD, unix.EPOLLIN)
}

// awaitOut has the poller tell when a socket takes bytes again, too.
func (p *poller) awaitOut(s *socket) error {
	return p.control(s, unix.EPOLL_CTL_MOD, unix.EPOLLIN|unix.EPOLLOUT)
}

func (p *poller) control(s *socket, op int, events uint32) error {
	err := unix.EpollCtl(p.epolls[s.share], op, s.fd, &unix.EpollEvent{
		Events: events | unix.EPOLLRDHUP | unix.EPOLLET, Fd: int32(s.fd), Pad: s.serial,
	})
	if err != nil {
		return fmt.Errorf("cannot watch a connection: %w", err)
	}
	return nil
}

// remove ends that, before the descriptor is closed.
func (p *poller) remove(s *socket) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if s.fd < len(p.sockets) && p.sockets[s.fd] == s {
		p.sockets[s.fd] = nil
	}
}

// find is the socket that an event is about; nil where it is stale.
func (p *poller) find(e *unix.EpollEvent) *socket {
	p.mu.Lock()
	defer p.mu.Unlock()
	if int(e.Fd) < len(p.sockets) {
		if s := p.sockets[e.Fd]; s != nil && s.serial == e.Pad {
			return s
		}
	}
	return nil
}

// appoint gives a role to a goroutine that waits for one, or to a new one.
func (p *poller) appoint(w *worker) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.workers[w.share] = w
	if n := len(p.spares); n > 0 {
		spare := p.spares[n-1]
		p.spares = p.spares[:n-1]
		spare <- w
		return
	}
	p.running++
	go p.run(w)
}

// run has a role again and again, for as long as there is need.
func (p *poller) run(w *worker) {
	defer func() {
		w.leave() // what it served may have ended the goroutine
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.closed {
			w.ring() // one that has lost the role may still wait for an event of this share
		}
		if p.running--; p.running == 0 && p.closed {
			p.release()
		}
	}()
	spare := make(chan *worker, 1)
	for {
		w.work()
		p.mu.Lock()
		if p.closed || len(p.spares) == maxSpares {
			p.mu.Unlock()
			return
		}
		p.spares = append(p.spares, spare)
		p.mu.Unlock()
		next := <-spare
		if next == nil {
			return
		}
		w = next
	}
}

// submit has the worker of a share do c.
func (p *poller) submit(share int, c completer) {
	for {
		p.mu.Lock()
		w, closed := p.workers[share], p.closed
		p.mu.Unlock()
		if closed {
			go c.complete(nil)
			return
		}
		if w.later(c) {
			return
		}
	}
}

// watch takes the role from workers that are kept by what they serve.
func (p *poller) watch() {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	workers := make([]*worker, len(p.workers))
	for idle := 0; ; {
		select {
		case <-p.done:
			return
		case <-tick.C:
		}
		p.mu.Lock()
		copy(workers, p.workers)
		p.mu.Unlock()
		idle++
		for _, w := range workers {
			steps := w.steps.Load()
			if steps != w.seen {
				idle = 0
			} else if steps&1 == 1 {
				w.leave()
			}
			w.seen = steps
		}
		if idle < watchLinger {
			continue
		}
		idle = 0
		tick.Stop()
		p.asleep.Store(true)
		for _, w := range workers {
			if w.steps.Load() != w.seen && p.asleep.Swap(false) { // it began just before
				p.wake <- struct{}{}
			}
		}
		select {
		case <-p.done:
			return
		case <-p.wake:
		}
		tick.Reset(watchEvery)
	}
}
