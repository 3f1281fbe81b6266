package daemon

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nano-runtime/nano/internal/await"
)

// program is the program under test, running in processes of its own.
type program struct {
	t      *testing.T
	dir    string
	binary string
	addr   net.Addr
	first  int // process id
	client *http.Client
	output *await.Log

	mu       sync.Mutex
	messages []string // that systemd would have got
}

// startProgram starts the program like systemd: it gets its sockets by name, and tells
// how it is doing.
func startProgram(t *testing.T, names ...string) *program {
	t.Helper()
	// Generations lose their parents; here they get one that notices their end.
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		t.Fatal(err)
	}
	p := &program{t: t, dir: t.TempDir(), output: new(await.Log)}
	p.configure("serve 1")
	p.copyBinary()
	notify := p.listenForMessages()
	env := append(os.Environ(),
		childEnv+"="+p.path("config"),
		childAdmin+"="+p.path("admin"),
		childPID+"="+p.path("pid"),
		"NOTIFY_SOCKET="+notify,
		"WATCHDOG_USEC=200000",
	)
	var files []*os.File
	for _, name := range names {
		file, addr := p.openSocket(name)
		if name == socketHTTP {
			p.addr = addr
		}
		files = append(files, file)
		defer file.Close()
	}
	if len(names) == 0 {
		p.addr = &net.UnixAddr{Net: "unix", Name: p.path("public")}
		env = append(env, childAddr+"=unix:"+p.path("public"))
	}
	// The shell knows the process id that the program will have.
	cmd := exec.Command("/bin/sh", "-c", `LISTEN_PID=$$ WATCHDOG_PID=$$ exec "$0"`, p.binary)
	if len(files) > 0 {
		env = append(env, "LISTEN_FDS="+strconv.Itoa(len(files)), "LISTEN_FDNAMES="+strings.Join(names, ":"))
	}
	cmd.Env, cmd.ExtraFiles, cmd.Stdout, cmd.Stderr = env, files, p.output, p.output
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p.first = cmd.Process.Pid
	p.client = &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "unix", p.path("admin"))
		},
	}}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("output:\n%s\nmessages: %q", p.output, p.sent())
		}
	})
	return p
}

func (p *program) path(name string) string { return filepath.Join(p.dir, name) }

func (p *program) configure(text string) {
	p.t.Helper()
	if err := os.WriteFile(p.path("config"), []byte(text), 0o600); err != nil {
		p.t.Fatal(err)
	}
}

// copyBinary puts the program where it can be replaced.
func (p *program) copyBinary() {
	p.t.Helper()
	p.binary = p.path("program")
	if err := os.Symlink("/proc/"+strconv.Itoa(os.Getpid())+"/exe", p.binary); err != nil {
		p.t.Fatal(err)
	}
}

func (p *program) openSocket(name string) (*os.File, net.Addr) {
	p.t.Helper()
	var ln net.Listener
	var err error
	if name == socketAdmin {
		ln, err = net.Listen("unix", p.path("admin"))
	} else {
		ln, err = net.Listen("tcp", "127.0.0.1:0")
	}
	if err != nil {
		p.t.Fatal(err)
	}
	if u, ok := ln.(*net.UnixListener); ok {
		u.SetUnlinkOnClose(false)
	}
	defer ln.Close()
	file, err := ln.(interface{ File() (*os.File, error) }).File()
	if err != nil {
		p.t.Fatal(err)
	}
	return file, ln.Addr()
}

func (p *program) listenForMessages() string {
	p.t.Helper()
	path := p.path("notify")
	nc, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Net: "unixgram", Name: path})
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { _ = nc.Close() })
	go func() {
		buf := make([]byte, 4096)
		for {
			n, err := nc.Read(buf)
			if err != nil {
				return
			}
			p.mu.Lock()
			p.messages = append(p.messages, string(buf[:n]))
			p.mu.Unlock()
		}
	}()
	return path
}

// sent are the messages so far, without the watchdog's.
func (p *program) sent() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(p.messages), func(m string) bool { return m == "WATCHDOG=1" })
}

// awaitMessage waits for a message that the expression matches, the first or a later
// one, and returns its first group as a number.
func (p *program) awaitMessage(expression string, after int) int {
	p.t.Helper()
	re := regexp.MustCompile(expression)
	var number int
	await.That(p.t, "a message like "+re.String(), func() bool {
		messages := p.sent()
		for _, m := range messages[min(after, len(messages)):] {
			if match := re.FindStringSubmatch(m); match != nil {
				if len(match) > 1 {
					number, _ = strconv.Atoi(match[1])
				}
				return true
			}
		}
		return false
	})
	return number
}

// upgrade asks for a new generation, and again if it was somebody else's turn.
func (p *program) upgrade() error {
	for {
		res, err := p.client.Post("http://admin/upgrade", "", nil)
		if err != nil {
			return err
		}
		text, err := io.ReadAll(res.Body)
		_ = res.Body.Close()
		switch {
		case err != nil:
			return err
		case res.StatusCode == http.StatusOK:
			return nil
		case !strings.Contains(string(text), ErrHandedOver.Error()):
			return errors.New(strings.TrimSpace(string(text)))
		}
	}
}

// get asks the public socket.
func (p *program) get(target string) string {
	p.t.Helper()
	nc := dial(p.t, p.addr)
	defer nc.Close()
	if _, err := io.WriteString(nc, "GET "+target+" HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"); err != nil {
		p.t.Fatal(err)
	}
	res, err := http.ReadResponse(bufio.NewReader(nc), nil)
	if err != nil {
		p.t.Fatal(err)
	}
	body, err := io.ReadAll(res.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	return string(body)
}

// pid is the process that answers.
func (p *program) pid() int {
	p.t.Helper()
	pid, err := strconv.Atoi(p.get("/"))
	if err != nil {
		p.t.Fatal(err)
	}
	return pid
}

// await waits for a process's end and returns its exit code.
func (p *program) await(pid int) int {
	p.t.Helper()
	var status syscall.WaitStatus
	await.That(p.t, fmt.Sprintf("the end of process %d", pid), func() bool {
		got, err := syscall.Wait4(pid, &status, syscall.WNOHANG, nil)
		if err != nil {
			p.t.Fatalf("process %d: %v", pid, err)
		}
		return got == pid
	})
	return status.ExitStatus()
}

// stop ends the program and wants it to end well.
func (p *program) stop() {
	p.t.Helper()
	pid := p.pid()
	if err := syscall.Kill(pid, syscall.SIGTERM); err != nil {
		p.t.Fatal(err)
	}
	if code := p.await(pid); code != 0 {
		p.t.Errorf("exit code %d, want 0", code)
	}
	p.awaitMessage("^STOPPING=1\n", 0)
	if list := processes(p.t); len(list) > 0 {
		p.t.Errorf("processes %v are left", list)
	}
}

// processes are this process's children, zombies included.
func processes(t *testing.T) []int {
	t.Helper()
	return children(t, os.Getpid())
}

func children(t *testing.T, parent int) (list []int) {
	t.Helper()
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", parent))
	if err != nil || len(tasks) == 0 {
		t.Fatalf("cannot list processes: %v", err)
	}
	for _, task := range tasks {
		text, err := os.ReadFile(task)
		if err != nil {
			continue // the thread has ended
		}
		for _, field := range strings.Fields(string(text)) {
			pid, _ := strconv.Atoi(field)
			list = append(list, pid)
		}
	}
	return list
}

func openFiles(t *testing.T, pid int) int {
	t.Helper()
	entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

func TestGenerations(t *testing.T) {
	p := startProgram(t, socketHTTP, socketAdmin)
	if pid := p.awaitMessage(`^MAINPID=(\d+)\nREADY=1\nSTATUS=Serving 1$`, 0); pid != p.first {
		t.Errorf("systemd was told of %d, want %d", pid, p.first)
	}
	var l load
	l.start(p.addr, 8)
	old := p.first
	var files []int
	for i := range 8 {
		p.configure("serve " + fmt.Sprint(i+2))
		seen := len(p.sent())
		if err := p.upgrade(); err != nil {
			t.Fatal(err)
		}
		p.awaitMessage(`^RELOADING=1\nMONOTONIC_USEC=(\d+)\n`, seen)
		p.awaitMessage(fmt.Sprintf(`^MAINPID=(\d+)\nREADY=1\nSTATUS=Serving %d$`, i+2), seen)
		if code := p.await(old); code != 0 {
			t.Errorf("generation %d exits with %d", i, code)
		}
		pid := p.pid()
		if pid == old {
			t.Fatalf("process %d still serves", old)
		}
		if told := p.awaitMessage(`^MAINPID=(\d+)`, seen); told != pid {
			t.Errorf("systemd was told of %d, want %d", told, pid)
		}
		if text, err := os.ReadFile(p.path("pid")); err != nil || string(text) != fmt.Sprint(pid) {
			t.Errorf("the file has %q, %v, want %d", text, err, pid)
		}
		old = pid
		files = append(files, openFiles(t, pid))
		l.await(t, fmt.Sprint(pid))
	}
	l.end(t)
	if files[7] > files[0]+8 { // the load's connections come and go
		t.Errorf("open files by generation: %v", files)
	}
	if slices.ContainsFunc(p.sent(), func(m string) bool { return strings.HasPrefix(m, "STOPPING=1") }) {
		t.Error("a generation that was replaced says that the service stops")
	}
	env := p.get("/environment")
	for _, name := range []string{"LISTEN_", "WATCHDOG_PID"} {
		if strings.Contains(env, "\n"+name) {
			t.Errorf("the environment still has %s in it:\n%s", name, env)
		}
	}
	p.mu.Lock()
	fed := slices.Contains(p.messages, "WATCHDOG=1")
	p.mu.Unlock()
	if !fed {
		t.Error("nobody fed the watchdog")
	}
	p.stop()
}

func TestGenerationsThatFail(t *testing.T) {
	tests := []struct {
		name   string
		config string
		want   string
	}{
		{"configuration", "fail nano.toml:3:1: no such key \"hots\"\nnano.toml:4:1: neither", "no such key \"hots\"\nnano.toml:4:1: neither"},
		{"warming up", "broken cannot load app \"blog\"", "cannot load app \"blog\""},
		{"panic", "panic oh dear", "panic: oh dear"},
		{"exit", "exit", "exit status 3 while it was reading the configuration"},
		{"hang", "hang", "timed out while it was waking apps"},
	}
	p := startProgram(t)
	p.awaitMessage("READY=1", 0)
	var l load
	l.start(p.addr, 4)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p.configure(tt.config)
			seen := len(p.sent())
			err := p.upgrade()
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
			p.awaitMessage(`^RELOADING=1\n`, seen)
			p.awaitMessage(`^MAINPID=\d+\nREADY=1\nSTATUS=Serving on: the new generation did not start: .*$`, seen)
			if pid := p.pid(); pid != p.first {
				t.Errorf("%d serves, want %d", pid, p.first)
			}
			l.await(t, fmt.Sprint(p.first))
			await.That(t, "the end of the children", func() bool { return len(children(t, p.first)) == 0 })
		})
	}
	t.Run("no program", func(t *testing.T) {
		if err := os.Remove(p.binary); err != nil {
			t.Fatal(err)
		}
		if err := p.upgrade(); err == nil || !strings.Contains(err.Error(), "no such file") {
			t.Errorf("got %v", err)
		}
		p.copyBinary()
	})
	t.Run("killed", func(t *testing.T) {
		p.configure("hang")
		done := make(chan error, 1)
		go func() { done <- p.upgrade() }()
		var pid int
		await.That(t, "a child", func() bool {
			if list := children(t, p.first); len(list) > 0 {
				pid = list[0]
			}
			return pid > 0
		})
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		if err := <-done; err == nil || !strings.Contains(err.Error(), "signal: killed") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("and then a good one", func(t *testing.T) {
		p.configure("serve again")
		if err := p.upgrade(); err != nil {
			t.Fatal(err)
		}
		p.await(p.first)
	})
	l.end(t)
	p.stop()
}

// A hundred reloads at once, by signal and by request, end in one good generation.
func TestUpgradeStorm(t *testing.T) {
	p := startProgram(t, socketHTTP)
	p.awaitMessage("READY=1", 0)
	var l load
	l.start(p.addr, 4)
	l.await(t, fmt.Sprint(p.first))
	var group sync.WaitGroup
	for range 20 {
		group.Go(func() {
			if err := p.upgrade(); err != nil {
				t.Errorf("a request failed: %v", err)
			}
		})
	}
	main := func() int { // the last one that systemd was told of
		pid := p.first
		for _, m := range p.sent() {
			if rest, ok := strings.CutPrefix(m, "MAINPID="); ok {
				rest, _, _ = strings.Cut(rest, "\n")
				pid, _ = strconv.Atoi(rest)
			}
		}
		return pid
	}
	for range 100 {
		_ = syscall.Kill(main(), syscall.SIGHUP)
		time.Sleep(10 * time.Millisecond)
	}
	group.Wait()
	// All but the last one end, and none is left as a zombie.
	since := time.Now()
	await.That(t, "the end of the others", func() bool {
		list := processes(t)
		for _, pid := range list {
			if pid != main() {
				var status syscall.WaitStatus
				_, _ = syscall.Wait4(pid, &status, syscall.WNOHANG, nil)
			}
		}
		if len(list) != 1 || list[0] != main() || !quiet(p) {
			since = time.Now()
		}
		return time.Since(since) > 500*time.Millisecond // a last reload may be on its way
	})
	l.await(t, fmt.Sprint(p.pid()))
	l.end(t)
	p.stop()
}

// quiet reports whether no reload is under way.
func quiet(p *program) bool {
	reloading := false
	for _, m := range p.sent() {
		switch {
		case strings.HasPrefix(m, "RELOADING=1"):
			reloading = true
		case strings.Contains(m, "READY=1"):
			reloading = false
		}
	}
	return !reloading
}

func TestStopWaitsForRequests(t *testing.T) {
	p := startProgram(t)
	p.awaitMessage("READY=1", 0)
	nc := dial(t, p.addr)
	if _, err := io.WriteString(nc, "POST /slow HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nx"); err != nil {
		t.Fatal(err)
	}
	res, err := http.ReadResponse(bufio.NewReader(nc), nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(p.first, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	p.awaitMessage("^STOPPING=1\n", 0)
	if _, err := io.WriteString(nc, "y"); err != nil {
		t.Fatal(err)
	}
	if body, err := io.ReadAll(res.Body); err != nil || string(body) != "done" {
		t.Errorf("got %q, %v", body, err)
	}
	if code := p.await(p.first); code != 0 {
		t.Errorf("exit code %d", code)
	}
	for _, name := range []string{"public", "admin"} {
		if _, err := os.Lstat(p.path(name)); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the socket %s is still there: %v", name, err)
		}
	}
}

func TestStopWhileStarting(t *testing.T) {
	p := startProgram(t, socketHTTP)
	p.awaitMessage("READY=1", 0)
	p.configure("hang")
	second := exec.Command(p.binary)
	second.Env = append(os.Environ(), childEnv+"="+p.path("config"), childAdmin+"="+p.path("other"), "NOTIFY_SOCKET="+p.path("notify"))
	seen := len(p.sent())
	if err := second.Start(); err != nil {
		t.Fatal(err)
	}
	p.awaitMessage("waking apps", seen)
	_ = second.Process.Signal(syscall.SIGTERM)
	if err := second.Wait(); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(p.path("other")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket is still there: %v", err)
	}
	p.stop()
}

// A generation that stops waits for the one before it, which still drains.
func TestStopWaitsForOlderGeneration(t *testing.T) {
	p := startProgram(t)
	p.awaitMessage("READY=1", 0)
	nc := dial(t, p.addr)
	if _, err := io.WriteString(nc, "POST /slow HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nx"); err != nil {
		t.Fatal(err)
	}
	res, err := http.ReadResponse(bufio.NewReader(nc), nil)
	if err != nil {
		t.Fatal(err)
	}
	seen := len(p.sent())
	if err := p.upgrade(); err != nil {
		t.Fatal(err)
	}
	second := p.awaitMessage(`^MAINPID=(\d+)\nREADY=1`, seen)
	if err := syscall.Kill(second, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	p.awaitMessage("^STOPPING=1\n", 0)
	// It would be gone in a second if it didn't wait.
	select {
	case <-time.After(stopGrace + 500*time.Millisecond):
	case <-t.Context().Done():
	}
	if err := syscall.Kill(second, 0); err != nil {
		t.Fatalf("it is gone: %v", err)
	}
	if _, err := io.WriteString(nc, "y"); err != nil {
		t.Fatal(err)
	}
	if body, err := io.ReadAll(res.Body); err != nil || string(body) != "done" {
		t.Errorf("got %q, %v", body, err)
	}
	_ = nc.Close()
	for _, pid := range []int{p.first, second} {
		if code := p.await(pid); code != 0 {
			t.Errorf("exit code %d", code)
		}
	}
}

// Systemd starts no other while a process is left: one that drains doesn't hold that up.
func TestCrashedSuccessorEndsTheDrain(t *testing.T) {
	p := startProgram(t)
	p.awaitMessage("READY=1", 0)
	nc := dial(t, p.addr)
	if _, err := io.WriteString(nc, "POST /slow HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nx"); err != nil {
		t.Fatal(err)
	}
	if _, err := nc.Read(make([]byte, 10)); err != nil {
		t.Fatal(err)
	}
	seen := len(p.sent())
	if err := p.upgrade(); err != nil {
		t.Fatal(err)
	}
	second := p.awaitMessage(`^MAINPID=(\d+)\nREADY=1`, seen)
	start := time.Now()
	if err := syscall.Kill(second, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	p.await(p.first)
	if took := time.Since(start); took > 3*time.Second {
		t.Errorf("it took %v", took)
	}
	p.awaitMessage(fmt.Sprintf("^MAINPID=%d\n", p.first), seen)
	if _, err := syscall.Wait4(second, nil, 0, nil); err != nil && !errors.Is(err, syscall.ECHILD) {
		t.Error(err)
	}
}

func TestSecondSignalStopsAtOnce(t *testing.T) {
	p := startProgram(t)
	p.awaitMessage("READY=1", 0)
	nc := dial(t, p.addr)
	if _, err := io.WriteString(nc, "POST /slow HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nx"); err != nil {
		t.Fatal(err)
	}
	if _, err := nc.Read(make([]byte, 10)); err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	_ = syscall.Kill(p.first, syscall.SIGTERM)
	p.awaitMessage("^STOPPING=1\n", 0)
	_ = syscall.Kill(p.first, syscall.SIGINT)
	p.await(p.first)
	if took := time.Since(start); took > 3*time.Second {
		t.Errorf("it took %v", took)
	}
}

func TestSocketsThatCannotBeUsed(t *testing.T) {
	t.Run("name", func(t *testing.T) {
		p := startProgram(t, "htpt")
		p.awaitMessage(`^STATUS=systemd passed a socket named "htpt": .*\nERRNO=\d+$`, 0)
		if code := p.await(p.first); code != 1 {
			t.Errorf("exit code %d, want 1", code)
		}
	})
	t.Run("unit's name", func(t *testing.T) {
		p := startProgram(t, "nano.socket")
		p.awaitMessage(`READY=1`, 0)
		if _, err := p.client.Post("http://admin/x", "", nil); err != nil {
			t.Error(err)
		}
		if info, err := os.Stat(p.path("admin")); err != nil || info.Mode().Perm() != 0o660 {
			t.Errorf("the admin socket is %v, %v", info, err)
		}
		_ = syscall.Kill(p.first, syscall.SIGTERM)
		p.await(p.first)
	})
	t.Run("in use", func(t *testing.T) {
		p := startProgram(t)
		p.awaitMessage(`READY=1`, 0)
		second := exec.Command(p.binary)
		second.Env = append(os.Environ(), childEnv+"="+p.path("config"), childAdmin+"="+p.path("admin"))
		out, err := second.CombinedOutput()
		if err == nil || !strings.Contains(string(out), "another process listens there") {
			t.Errorf("got %v, %s", err, out)
		}
		p.stop()
	})
	t.Run("left behind", func(t *testing.T) {
		p := startProgram(t)
		p.awaitMessage(`READY=1`, 0)
		_ = syscall.Kill(p.first, syscall.SIGKILL)
		p.await(p.first)
		if _, err := os.Lstat(p.path("public")); err != nil {
			t.Fatal(err)
		}
		again := exec.Command(p.binary)
		again.Env = append(os.Environ(), childEnv+"="+p.path("config"), childAdmin+"="+p.path("admin"), childAddr+"=unix:"+p.path("public"), "NOTIFY_SOCKET="+p.path("notify"))
		if err := again.Start(); err != nil {
			t.Fatal(err)
		}
		await.That(t, "the next process's socket", func() bool {
			nc, err := net.Dial("unix", p.path("public"))
			if err == nil {
				_ = nc.Close()
			}
			return err == nil
		})
		p.stop()
	})
}
