package daemon

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"

	"golang.org/x/sys/unix"
)

// question is what the watchdog asks: HTTP servers answer it themselves.
const question = "OPTIONS * HTTP/1.1\r\nHost: watchdog\r\nConnection: close\r\n\r\n"

// Probe has a request served on a connection of its own, which takes the way of any
// other but for the listener: with that, a full house would look like a standstill.
func (f *Front) Probe(ctx context.Context) error {
	if err := f.start(); err != nil {
		return err
	}
	near, far, err := socketPair()
	if err != nil {
		return fmt.Errorf("cannot make a pair of sockets: %w", err)
	}
	f.accept(far, netip.Addr{})
	return ask(ctx, near)
}

// probeSocket asks the server behind a listener.
func probeSocket(ctx context.Context, ln net.Listener) error {
	var d net.Dialer
	nc, err := d.DialContext(ctx, ln.Addr().Network(), ln.Addr().String())
	if err != nil {
		return err
	}
	return ask(ctx, nc)
}

// ask sends the question and waits for an answer, whatever it is.
func ask(ctx context.Context, nc net.Conn) error {
	defer nc.Close()
	defer context.AfterFunc(ctx, func() { _ = nc.Close() })()
	if _, err := io.WriteString(nc, question); err != nil {
		return err
	}
	res, err := http.ReadResponse(bufio.NewReader(nc), nil)
	if err != nil {
		return err
	}
	return res.Body.Close()
}

// socketPair makes two sockets that are connected; far is one for accept.
func socketPair() (near net.Conn, far int, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, 0, err
	}
	file := os.NewFile(uintptr(fds[0]), "near")
	defer file.Close()
	if near, err = net.FileConn(file); err != nil {
		_ = unix.Close(fds[1])
		return nil, 0, err
	}
	return near, fds[1], nil
}
