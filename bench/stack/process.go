package stack

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// A command is one process of a stack that is to be started.
type command struct {
	name string
	args []string
	env  []string // besides PATH and HOME
	dir  string
	port uint16 // that it listens on, behind the stack's front; 0: it is the front
}

// A process was started, and leads a process group of its own: that, with all it
// starts, is what is accounted for and ended.
type process struct {
	name string
	log  string
	port uint16
	cmd  *exec.Cmd
	done chan struct{} // closed when it was waited for
}

func (c command) start(log string) (*process, error) {
	out, err := os.Create(log)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	cmd := exec.Command(c.args[0], c.args[1:]...)
	cmd.Dir = c.dir
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + c.dir}, c.env...)
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("%s: %w", c.name, err)
	}
	p := &process{name: c.name, log: log, port: c.port, cmd: cmd, done: make(chan struct{})}
	go func() {
		cmd.Wait() // its log says more than its exit status
		close(p.done)
	}()
	return p, nil
}

func (p *process) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

func (p *process) terminate() {
	syscall.Kill(-p.cmd.Process.Pid, syscall.SIGTERM)
}

// waitUntil waits for the end of the whole group, and brings it about at the
// deadline.
func (p *process) waitUntil(deadline time.Time) {
	group := -p.cmd.Process.Pid
	for !errors.Is(syscall.Kill(group, 0), syscall.ESRCH) {
		if time.Now().After(deadline) {
			syscall.Kill(group, syscall.SIGKILL)
			<-p.done
			return
		}
		time.Sleep(2 * time.Millisecond)
	}
	<-p.done
}

// freePort returns a port that nobody listens on just now.
func freePort() (uint16, error) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).AddrPort().Port(), nil
}

func loopback(port uint16) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), port)
}

func dial(ctx context.Context, addr netip.AddrPort) error {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", addr.String())
	if err != nil {
		return err
	}
	return conn.Close()
}
