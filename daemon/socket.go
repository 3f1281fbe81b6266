package daemon

import (
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// socket is a connected, non-blocking socket. It belongs to one goroutine at a time,
// which reads, writes and closes it, but for a write and a read at the same time; or it
// rests, and belongs to nobody.
type socket struct {
	fd     int
	serial int32 // tells it from others that had its number; the poller's
	poller *poller
	share  int // whose worker serves it; the poller's
	// serve is called when the socket rests and something happens: it owns the socket
	// until it lets it rest again, closes it or gives it to somebody.
	serve  func()
	worker atomic.Pointer[worker] // the role that its goroutine has

	mu        sync.Mutex // guards what is below
	resting   bool
	closed    bool
	hungUp    bool // the client has closed, at least its side
	readable  bool // there was an event since somebody last looked
	writable  bool
	outArmed  bool // events tell of room to write
	readOver  bool // reading was interrupted
	writeOver bool
	reader    chan struct{} // who waits
	writer    chan struct{}
	given     net.Conn // what it was turned into
}

// open has the poller watch the socket. It fails where nobody serves it, nor will.
func (s *socket) open() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	err := s.poller.add(s)
	if err != nil && s.resting {
		s.resting = false
		return err
	}
	return nil
}

// happened is told of an event; w is the caller's role.
func (s *socket) happened(events uint32, w *worker) {
	s.mu.Lock()
	if events&(unix.EPOLLRDHUP|unix.EPOLLHUP|unix.EPOLLERR) != 0 {
		s.hungUp = true
	}
	if events&^unix.EPOLLOUT != 0 {
		if s.resting {
			s.resting = false
			s.readable = true
			s.mu.Unlock()
			s.worker.Store(w)
			s.serve()
			return
		}
		s.readable = true
		ring(s.reader)
	}
	if events&^unix.EPOLLIN != 0 {
		s.writable = true
		ring(s.writer)
	}
	s.mu.Unlock()
}

// ring wakes who waits, if anybody does; the channel has room for one signal.
func ring(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// block gives away the role of the goroutine that serves the socket, which is about to
// wait. Any goroutine may call it.
func (s *socket) block() {
	if w := s.worker.Swap(nil); w != nil {
		w.leave()
	}
}

// rest lets the socket go: serve is called when there is something to read. It reports
// false, and the caller must read, where there may be something already.
func (s *socket) rest() bool {
	w := s.worker.Swap(nil)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.readable || s.readOver || s.hungUp {
		s.worker.Store(w)
		return false
	}
	s.resting = true
	return true
}

// look notes that the caller reads now; false where it was interrupted.
func (s *socket) look() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.readable = false
	return !s.readOver
}

// noteMore notes that there may be more to read: a read filled all the room it had.
func (s *socket) noteMore() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.readable = true
}

// read calls try until it reports that it is done, at once and whenever there is
// something to read; it fails with [os.ErrDeadlineExceeded] when it is interrupted.
func (s *socket) read(try func(fd int) (done bool)) error {
	for {
		if !s.look() {
			return os.ErrDeadlineExceeded
		}
		if try(s.fd) {
			return nil
		}
		s.block()
		s.mu.Lock()
		if s.reader == nil {
			s.reader = make(chan struct{}, 1)
		}
		wait := !s.readable && !s.readOver
		s.mu.Unlock()
		if wait {
			<-s.reader
		}
	}
}

// write is read for what is written.
func (s *socket) write(try func(fd int) (done bool)) error {
	for {
		s.mu.Lock()
		over := s.writeOver
		s.writable = false
		s.mu.Unlock()
		if over {
			return os.ErrDeadlineExceeded
		}
		if try(s.fd) {
			return nil
		}
		s.block()
		if err := s.awaitRoom(); err != nil {
			return err
		}
	}
}

// awaitRoom waits until the system may take more.
func (s *socket) awaitRoom() error {
	s.mu.Lock()
	if s.writer == nil {
		s.writer = make(chan struct{}, 1)
	}
	if !s.outArmed {
		s.outArmed = true
		if err := s.poller.awaitOut(s); err != nil {
			s.mu.Unlock()
			return err
		}
	}
	wait := !s.writable && !s.writeOver
	s.mu.Unlock()
	if wait {
		<-s.writer
	}
	return nil
}

// interruptRead ends a read that waits, and all that follow until resumeRead. A socket
// that rests is served. Any goroutine may call it, like interruptWrite.
func (s *socket) interruptRead() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.readOver = true
	if s.resting && !s.closed {
		s.resting = false
		go s.serve()
		return
	}
	ring(s.reader)
}

func (s *socket) resumeRead() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.readOver = false
}

func (s *socket) interruptWrite() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.writeOver = true
	ring(s.writer)
}

// isHungUp reports whether the client has closed, at least its side.
func (s *socket) isHungUp() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.hungUp
}

// cut ends the connection for whoever reads or writes. Any goroutine may call it.
func (s *socket) cut() {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
	case s.given != nil:
		_ = s.given.Close()
	default:
		_ = unix.Shutdown(s.fd, unix.SHUT_RDWR)
	}
}

// give turns the socket into a connection of package net, for those who want one; the
// socket is then only good for cut and close.
func (s *socket) give() (net.Conn, error) {
	s.block()
	s.poller.remove(s)
	// The copy that package net makes would go on having events otherwise.
	_ = unix.EpollCtl(s.poller.epolls[s.share], unix.EPOLL_CTL_DEL, s.fd, nil)
	s.mu.Lock()
	defer s.mu.Unlock()
	file := os.NewFile(uintptr(s.fd), "connection")
	nc, err := net.FileConn(file)
	if err != nil {
		s.closed = true
		_ = file.Close()
		return nil, err
	}
	s.given = nc
	return nc, file.Close()
}

// localAddr is the address that the client has connected to; "" where it isn't known.
func (s *socket) localAddr() string {
	local, err := unix.Getsockname(s.fd)
	if err != nil {
		return ""
	}
	switch a := local.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(a.Addr), uint16(a.Port)).String()
	case *unix.SockaddrInet6:
		return netip.AddrPortFrom(netip.AddrFrom16(a.Addr).Unmap(), uint16(a.Port)).String()
	case *unix.SockaddrUnix:
		return a.Name
	}
	return ""
}

// close gives the socket back.
func (s *socket) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	s.closed = true
	if s.given != nil {
		_ = s.given.Close()
		return
	}
	s.poller.remove(s)
	_ = unix.Close(s.fd)
}
