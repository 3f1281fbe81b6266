package daemon

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	sd "github.com/coreos/go-systemd/v22/daemon"
	"golang.org/x/sys/unix"
)

// notifier tells systemd how the service is doing. Without systemd it tells nobody.
type notifier struct{ log *slog.Logger }

// send sends assignments in one datagram: systemd reads what belongs together, such as
// RELOADING=1 and MONOTONIC_USEC, only from one.
func (n notifier) send(assignments ...string) {
	if _, err := sd.SdNotify(false, strings.Join(assignments, "\n")); err != nil {
		n.log.Warn("cannot notify systemd", "error", err)
	}
}

// barrier waits until systemd has read all that was sent before, for a second at the
// most: what a process says that is gone by then is void.
func (n notifier) barrier() {
	path := os.Getenv("NOTIFY_SOCKET")
	if path == "" {
		return
	}
	if err := notifyBarrier(path, time.Second); err != nil {
		n.log.Warn("cannot wait for systemd", "error", err)
	}
}

// notifyBarrier sends the end of a pipe, which systemd closes when it comes to it.
func notifyBarrier(path string, limit time.Duration) error {
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	defer r.Close()
	defer w.Close()
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Net: "unixgram", Name: path})
	if err != nil {
		return err
	}
	defer conn.Close()
	if _, _, err := conn.WriteMsgUnix([]byte("BARRIER=1"), syscall.UnixRights(int(w.Fd())), nil); err != nil {
		return err
	}
	if err := errors.Join(w.Close(), r.SetReadDeadline(time.Now().Add(limit))); err != nil {
		return err
	}
	if _, err := r.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		return err
	}
	return nil
}

// ready says that this process is the one to watch and that it serves.
func (n notifier) ready(text string) {
	n.send("MAINPID="+strconv.Itoa(os.Getpid()), "READY=1", status(text))
}

func (n notifier) reloading() {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
		n.log.Warn("cannot read the monotonic clock", "error", err)
		return
	}
	n.send("RELOADING=1", fmt.Sprintf("MONOTONIC_USEC=%d", now.Nano()/1000), status("Starting a new generation"))
}

// failed says why the process is about to exit.
func (n notifier) failed(err error) {
	errno := syscall.EINVAL
	errors.As(err, &errno)
	n.send(status(err.Error()), fmt.Sprintf("ERRNO=%d", int(errno)))
}

// status is the text in the service's status. It has one line.
func status(text string) string {
	return "STATUS=" + strings.Join(strings.FieldsFunc(text, func(r rune) bool { return r < ' ' }), "; ")
}

// watchdogInterval is the time after which systemd takes a silent service for dead, 0
// for never. The process that systemd started leaves WATCHDOG_USEC to the next
// generations but not WATCHDOG_PID, which only names itself.
func watchdogInterval() time.Duration {
	defer os.Unsetenv("WATCHDOG_PID")
	if pid := os.Getenv("WATCHDOG_PID"); pid != "" && pid != strconv.Itoa(os.Getpid()) {
		return 0
	}
	usec, err := strconv.ParseInt(os.Getenv("WATCHDOG_USEC"), 10, 64)
	if err != nil || usec <= 0 {
		return 0
	}
	return time.Duration(usec) * time.Microsecond
}
