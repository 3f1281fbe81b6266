package daemon

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// acceptor accepts connections of a listener as bare sockets: they are the front end's own
// poller's, and not that of Go's runtime.
type acceptor struct {
	ln   net.Listener
	file *os.File // a copy of the listener's socket
	raw  syscall.RawConn
	tcp  bool
}

// newAcceptor makes one for a listener of package net, TCP or unix, and closes it in the
// end.
func newAcceptor(ln net.Listener) (*acceptor, error) {
	filer, ok := ln.(interface{ File() (*os.File, error) })
	if !ok {
		return nil, errors.New("the listener has no file descriptor")
	}
	file, err := filer.File()
	if err != nil {
		return nil, err
	}
	raw, err := file.SyscallConn()
	if err != nil {
		_ = file.Close()
		return nil, err
	}
	return &acceptor{ln: ln, file: file, raw: raw, tcp: ln.Addr().Network() == "tcp"}, nil
}

// accept waits for a connection. remote is invalid for one of a unix socket.
func (a *acceptor) accept() (fd int, remote netip.Addr, err error) {
	var peer unix.Sockaddr
	var failed error
	err = a.raw.Read(func(listener uintptr) bool {
		for {
			fd, peer, failed = unix.Accept4(int(listener), unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
			if failed != unix.EINTR && failed != unix.ECONNABORTED {
				return failed != unix.EAGAIN
			}
		}
	})
	if err == nil {
		err = failed
	}
	if err == nil && a.tcp {
		setOptions(fd)
	}
	return fd, addrOf(peer), err
}

// setOptions gives a connection the options that package net does. It can't have them from
// the listener: one that waited before there was a process to set them there has none, nor
// has a client of TCP whose listener speaks Multipath TCP too. Like package net, it ignores
// that the system doesn't know one.
func setOptions(fd int) {
	_ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
	_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1)
	_ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, 15)
	_ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_KEEPINTVL, 15)
	_ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_KEEPCNT, 9)
}

// addrOf is the address of a connection's other end; invalid for a unix socket.
func addrOf(peer unix.Sockaddr) netip.Addr {
	switch a := peer.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrFrom4(a.Addr)
	case *unix.SockaddrInet6:
		return netip.AddrFrom16(a.Addr).Unmap()
	}
	return netip.Addr{}
}

// finish has accept fail as soon as nobody has waited in the listener's queue for so long:
// closing it would reset those who do.
func (a *acceptor) finish(sweep time.Duration) {
	if a.file.SetDeadline(time.Now().Add(sweep)) != nil {
		a.close()
	}
}

func (a *acceptor) close() {
	_ = a.file.Close()
	_ = a.ln.Close()
}
