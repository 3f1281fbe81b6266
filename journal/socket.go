package journal

import (
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

const (
	journaldSocket = "/run/systemd/journal/socket"
	// sendTimeout is how long a journald that doesn't read is waited for, with
	// one line; further lines are dropped at once until it reads again.
	sendTimeout = time.Second
	// redialEvery is how often a lost socket is looked for.
	redialEvery = time.Second
)

// journald is a sink that sends each line as a datagram. It is for one
// goroutine.
type journald struct {
	path  string
	conn  *net.UnixConn
	stuck bool      // the last line found no room
	tried time.Time // when the socket was last dialled
}

func dialJournald(path string) (*journald, error) {
	if path == "" {
		path = journaldSocket
	}
	d := &journald{path: path}
	if err := d.dial(); err != nil {
		return nil, fmt.Errorf("cannot log to the journal: %w", err)
	}
	return d, nil
}

func (d *journald) dial() error {
	d.tried = time.Now()
	// Connected, although journald never answers: else the kernel wouldn't tell
	// when there is room again.
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: d.path, Net: "unixgram"})
	if err != nil {
		return err
	}
	d.conn = conn
	return nil
}

func (d *journald) write(data []byte, ends []int) (lost int) {
	start := 0
	for _, end := range ends {
		if err := d.send(data[start:end]); err != nil {
			lost++
		}
		start = end
	}
	return lost
}

func (d *journald) send(line []byte) error {
	for {
		fresh := false
		if d.conn == nil {
			if time.Since(d.tried) < redialEvery {
				return net.ErrClosed
			}
			if err := d.dial(); err != nil {
				return err
			}
			fresh = true
		}
		err := d.sendOnce(line)
		switch {
		case err == nil:
			d.stuck = false
			return nil
		case errors.Is(err, os.ErrDeadlineExceeded):
			d.stuck = true
			return err
		case fresh:
			return err
		case errors.Is(err, unix.ECONNREFUSED), errors.Is(err, unix.ECONNRESET), errors.Is(err, unix.ENOTCONN), errors.Is(err, unix.EPIPE):
			// journald was started anew with another socket.
			d.conn.Close()
			d.conn, d.tried = nil, time.Time{}
		default:
			return err
		}
	}
}

func (d *journald) sendOnce(line []byte) error {
	wait := sendTimeout
	if d.stuck {
		wait = time.Millisecond
	}
	if err := d.conn.SetWriteDeadline(time.Now().Add(wait)); err != nil {
		return err
	}
	_, err := d.conn.Write(line)
	if errors.Is(err, unix.EMSGSIZE) || errors.Is(err, unix.ENOBUFS) {
		return d.sendFile(line)
	}
	return err
}

// sendFile passes a line that is too large for a datagram as a sealed file in
// memory.
func (d *journald) sendFile(line []byte) error {
	fd, err := unix.MemfdCreate("nano-journal-entry", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		return err
	}
	f := os.NewFile(uintptr(fd), "journal entry")
	defer f.Close()
	if _, err := f.Write(line); err != nil {
		return err
	}
	const seals = unix.F_SEAL_SHRINK | unix.F_SEAL_GROW | unix.F_SEAL_WRITE | unix.F_SEAL_SEAL
	if _, err := unix.FcntlInt(f.Fd(), unix.F_ADD_SEALS, seals); err != nil {
		return err
	}
	// Not with WriteMsgUnix, which refuses connected sockets.
	raw, err := d.conn.SyscallConn()
	if err != nil {
		return err
	}
	var sent error
	err = raw.Write(func(fd uintptr) (done bool) {
		for {
			sent = unix.Sendmsg(int(fd), nil, unix.UnixRights(int(f.Fd())), nil, 0)
			if sent != unix.EINTR {
				return sent != unix.EAGAIN
			}
		}
	})
	return errors.Join(err, sent)
}

func (d *journald) close() error {
	if d.conn == nil {
		return nil
	}
	return d.conn.Close()
}
