package load

import (
	"errors"
	"fmt"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// connectAll opens the connections of a plan that keeps them, so that opening
// them is no part of what is measured.
func (g *generator) connectAll() error {
	for i := range g.conns {
		if err := g.connect(&g.conns[i]); err != nil {
			return err
		}
	}
	deadline := time.Now().Add(drainTime)
	for left := len(g.conns); left > 0; {
		n, err := g.wait(time.Second)
		if err != nil {
			return err
		}
		for _, event := range g.events[:n] {
			c := &g.conns[event.Fd]
			if code, err := unix.GetsockoptInt(c.fd, unix.SOL_SOCKET, unix.SO_ERROR); err != nil || code != 0 {
				return fmt.Errorf("cannot connect: %w", errors.Join(err, unix.Errno(code)))
			}
			c.state = connIdle
			if err := g.watch(c, unix.EPOLL_CTL_MOD); err != nil {
				return err
			}
			left--
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("cannot connect: %d connections are not open after %v", left, drainTime)
		}
	}
	return nil
}

// connect begins to open a connection.
func (g *generator) connect(c *conn) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("socket: %w", err)
	}
	c.fd, c.state = fd, connConnecting
	if err := unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1); err != nil {
		return fmt.Errorf("setsockopt: %w", err)
	}
	to := &unix.SockaddrInet4{Port: int(g.plan.Addr.Port()), Addr: g.plan.Addr.Addr().As4()}
	if err := unix.Connect(fd, to); err != nil && !errors.Is(err, unix.EINPROGRESS) {
		return fmt.Errorf("cannot connect: %w", err)
	}
	return g.watch(c, unix.EPOLL_CTL_ADD)
}

// watch tells epoll what the connection waits for.
func (g *generator) watch(c *conn, op int) error {
	event := unix.EpollEvent{Events: unix.EPOLLIN, Fd: c.index}
	if c.state == connConnecting || c.state == connSending {
		event.Events |= unix.EPOLLOUT
	}
	if err := unix.EpollCtl(g.epoll, op, c.fd, &event); err != nil {
		return fmt.Errorf("epoll_ctl: %w", err)
	}
	return nil
}

func (g *generator) closeConn(c *conn) {
	if c.fd >= 0 {
		unix.Close(c.fd)
	}
	c.fd, c.state = -1, connClosed
}

// wait waits for events, with nanoseconds where epoll_wait has milliseconds.
func (g *generator) wait(d time.Duration) (int, error) {
	timeout := unix.NsecToTimespec(int64(d))
	n, _, errno := unix.Syscall6(unix.SYS_EPOLL_PWAIT2, uintptr(g.epoll), uintptr(unsafe.Pointer(&g.events[0])),
		uintptr(len(g.events)), uintptr(unsafe.Pointer(&timeout)), 0, 0)
	switch errno {
	case 0:
		return int(n), nil
	case unix.EINTR:
		return 0, nil
	}
	return 0, fmt.Errorf("epoll_pwait2: %w", errno)
}

// threadTime is the processor time of this thread so far.
func threadTime() time.Duration {
	var now unix.Timespec
	if unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &now) != nil {
		return 0
	}
	return time.Duration(now.Nano())
}
