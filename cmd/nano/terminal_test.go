package main

import (
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/nano-runtime/nano/internal/await"
)

// openTerminal makes a terminal: what is typed goes into the first, and what is shown
// comes out of it; a program runs on the second.
func openTerminal(t *testing.T) (keyboard, program *os.File) {
	t.Helper()
	keyboard, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { keyboard.Close() })
	fd := int(keyboard.Fd())
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: 6, Col: 60}); err != nil {
		t.Fatal(err)
	}
	program, err = os.OpenFile("/dev/pts/"+strconv.Itoa(n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { program.Close() })
	return keyboard, program
}

// TestTop runs top on a terminal, presses keys, and looks whether the terminal is left as
// it was.
func TestTop(t *testing.T) {
	dir := t.TempDir()
	nano := filepath.Join(dir, "nano")
	if err := os.Symlink(executable(t), nano); err != nil {
		t.Fatal(err)
	}
	socket := fakeDaemon(t)
	for _, test := range []struct {
		name string
		end  func(keyboard *os.File, p *os.Process) error
	}{
		{"q", func(k *os.File, _ *os.Process) error { _, err := io.WriteString(k, "q"); return err }},
		{"Ctrl-C", func(_ *os.File, p *os.Process) error { return p.Signal(os.Interrupt) }},
		{"SIGTERM", func(_ *os.File, p *os.Process) error { return p.Signal(syscall.SIGTERM) }},
	} {
		t.Run(test.name, func(t *testing.T) {
			keyboard, program := openTerminal(t)
			before, err := unix.IoctlGetTermios(int(program.Fd()), unix.TCGETS)
			if err != nil {
				t.Fatal(err)
			}
			shown := new(await.Log)
			go io.Copy(shown, keyboard)
			ctx, cancel := context.WithTimeout(t.Context(), await.Deadline)
			defer cancel()
			cmd := exec.CommandContext(ctx, nano, "top", "--interval", "100ms", "--socket", socket)
			cmd.Stdin, cmd.Stdout, cmd.Stderr = program, program, program
			cmd.Env = append(os.Environ(), "TERM=xterm")
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			shown.Await(t, enterView)
			shown.Await(t, bold+"NAME")
			shown.Await(t, "apps-name-0") // six lines have room for two of them
			if _, err := io.WriteString(keyboard, "m"); err != nil {
				t.Fatal(err)
			}
			shown.Await(t, "apps-name-9") // which has most
			if err := test.end(keyboard, cmd.Process); err != nil {
				t.Fatal(err)
			}
			if err := cmd.Wait(); err != nil {
				t.Errorf("top ended with %v", err)
			}
			shown.Await(t, leaveView)
			after, err := unix.IoctlGetTermios(int(program.Fd()), unix.TCGETS)
			if err != nil {
				t.Fatal(err)
			}
			if *before != *after {
				t.Errorf("the terminal was %+v, and is %+v", *before, *after)
			}
			visible := strings.NewReplacer(home, "\n", "\r", "", clearBelow, "", clearRight, "", bold, "", plain, "", enterView, "", leaveView, "")
			for line := range strings.Lines(visible.Replace(shown.String())) {
				if len(line) > 61 {
					t.Errorf("too long for the terminal: %q", line)
				}
			}
		})
	}
}

// TestListWatch draws the list over and over, each time from the top of the terminal.
func TestListWatch(t *testing.T) {
	nano := filepath.Join(t.TempDir(), "nano")
	if err := os.Symlink(executable(t), nano); err != nil {
		t.Fatal(err)
	}
	keyboard, program := openTerminal(t)
	shown := new(await.Log)
	go io.Copy(shown, keyboard)
	ctx, cancel := context.WithTimeout(t.Context(), await.Deadline)
	defer cancel()
	cmd := exec.CommandContext(ctx, nano, "--socket", fakeDaemon(t), "apps", "list", "--watch")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = program, program, program
	cmd.Env = append(os.Environ(), "TERM=xterm")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	shown.Await(t, home+clearBelow+"NAME")
	shown.Await(t, "apps-name-9")
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("it ended with %v", err)
	}
}

func executable(t *testing.T) string {
	t.Helper()
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// fakeDaemon answers with ten apps of which the last has most memory.
func fakeDaemon(t *testing.T) (socket string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "nano") // the path of a socket may not be long
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	socket = filepath.Join(dir, "s")
	ln, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for i := range 10 {
		n := strconv.Itoa(i)
		list = append(list, `{"name":"apps-name-`+n+`","state":"serving","memory_bytes":1`+n+`000000,"hosts":["a.example.com"]}`)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body := `{"version":"test","pid":1,"apps":{"serving":10}}`
		if r.URL.Path == "/admin/apps" {
			body = `{"apps":[` + strings.Join(list, ",") + `]}`
		}
		_, _ = io.WriteString(w, body) // who is gone doesn't want it
	})}
	go server.Serve(ln)
	t.Cleanup(func() { server.Close() })
	return socket
}
