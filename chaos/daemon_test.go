package chaos

import (
	"context"
	"errors"
	"fmt"
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
	"time"

	"golang.org/x/sys/unix"

	"github.com/nano-runtime/nano/admin"
)

// program is the built daemon.
var program string

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "chaos")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	program = filepath.Join(dir, "nano")
	if out, err := exec.Command("go", "build", "-o", program, "../cmd/nano").CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "cannot build the daemon: %v\n%s", err, out)
		return 1
	}
	// A generation outlives the one that started it: the orphans come here to be reaped.
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

// server is a daemon, in whichever generation it is, with the good apps and some
// hostile ones.
type server struct {
	t      *testing.T
	dir    string
	addr   string
	socket string
	log    string
	first  *os.Process
	exited chan error
}

// hostileSettings are what each hostile app gets: less than the defaults, so that more
// happens in less time.
const hostileSettings = `idle = "1s"
limits = { memory = "64MiB", cpu = "50ms", timeout = "2s", isolates = 2 }
`

// serve starts a daemon with the hostile apps named, and waits until it serves.
func serve(t *testing.T, hostile ...string) *server {
	t.Helper()
	apps, err := filepath.Abs(".")
	if err != nil {
		t.Fatal(err)
	}
	var conf strings.Builder
	fmt.Fprintf(&conf, "[apps.victim]\nhosts = [\"victim.test\"]\nroot = %q\nentry = \"victim.js\"\nenv = { SECRET = \"victim's secret\" }\n", filepath.Join(apps, "good"))
	fmt.Fprintf(&conf, "[apps.quiet]\nhosts = [\"quiet.test\"]\nroot = %q\nentry = \"quiet.js\"\n", filepath.Join(apps, "good"))
	for _, name := range hostile {
		fmt.Fprintf(&conf, "[apps.%s]\nhosts = [\"%s.test\"]\nroot = %q\nentry = %q\n%s", name, name, filepath.Join(apps, "apps"), name+".js", hostileSettings)
	}
	s := prepare(t, conf.String(), nil)
	s.start()
	t.Cleanup(s.stop)
	return s
}

// prepare writes what a daemon with some apps needs: their settings, and their files.
func prepare(t *testing.T, apps string, files map[string]string) *server {
	t.Helper()
	dir := t.TempDir()
	s := &server{t: t, dir: dir, addr: freeAddr(t), socket: filepath.Join(dir, "admin.sock"), log: filepath.Join(dir, "log")}
	conf := fmt.Sprintf("[server]\nlisten = [%q]\nadmin = %q\nlog = \"text\"\nwatch = false\ndrain_timeout = \"3s\"\ntrusted_proxies = [\"127.0.0.1\"]\n", s.addr, s.socket)
	write := func(name, text string) {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("nano.toml", conf+apps)
	for name, text := range files {
		write(name, text)
	}
	return s
}

// start starts the daemon, and waits until it serves.
func (s *server) start() {
	s.t.Helper()
	out, err := os.OpenFile(s.log, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		s.t.Fatal(err)
	}
	defer out.Close()
	cmd := exec.Command(program, "serve", "--config", filepath.Join(s.dir, "nano.toml"))
	cmd.Stdout, cmd.Stderr = out, out
	cmd.Env = append(os.Environ(), "STATE_DIRECTORY="+s.dir)
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	exited := make(chan error, 1)
	s.first, s.exited = cmd.Process, exited
	go func() { exited <- cmd.Wait() }()
	s.t.Cleanup(func() { _ = cmd.Process.Kill() }) // of a test that failed; it may be gone
	s.until("it serves", time.Minute, func() error {
		_, err := s.status()
		return err
	})
}

// stop ends the generation that serves, and waits until it and the others are gone.
func (s *server) stop() {
	if st, err := s.status(); err == nil {
		s.signal(st.PID, syscall.SIGTERM)
		s.until("it ends", time.Minute, func() error {
			if alive(st.PID) {
				return errors.New("it still runs")
			}
			return nil
		})
	} else {
		s.t.Errorf("at the end no generation answers: %v\n%s", err, s.tail())
		_ = s.first.Kill() // it may be gone
	}
}

func (s *server) signal(pid int, sig syscall.Signal) {
	if err := syscall.Kill(pid, sig); err != nil {
		s.t.Errorf("cannot signal %d: %v", pid, err)
	}
}

// alive reports whether a process runs, and reaps it where it was an orphan's.
func alive(pid int) bool {
	var w syscall.WaitStatus
	if got, _ := syscall.Wait4(pid, &w, syscall.WNOHANG, nil); got == pid {
		return false
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && !strings.Contains(string(stat), ") Z ")
}

func (s *server) status() (*admin.Status, error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	return s.client().Status(ctx)
}

func (s *server) client() *admin.Client { return admin.NewClient(s.socket) }

// shape is how much a process is.
type shape struct {
	pid        int
	resident   int64 // bytes
	threads    int
	goroutines int
	lost       int // threads, for good
}

func (s *server) shape() (shape, error) {
	st, err := s.status()
	if err != nil {
		return shape{}, err
	}
	tasks, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", st.PID))
	if err != nil {
		return shape{}, err
	}
	n, err := s.goroutines()
	return shape{st.PID, st.Resident, len(tasks), n, st.LostThreads}, err
}

// goroutines asks the metrics for their number.
func (s *server) goroutines() (int, error) {
	var d net.Dialer
	c := &http.Client{Timeout: time.Minute, Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return d.DialContext(ctx, "unix", s.socket)
		},
	}}
	res, err := c.Get("http://localhost/admin/metrics")
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		if n, ok := strings.CutPrefix(line, "go_goroutines "); ok {
			return strconv.Atoi(strings.TrimSpace(n))
		}
	}
	return 0, errors.New("the metrics have no go_goroutines")
}

// tail is the end of the daemon's log, without what apps said.
func (s *server) tail() string {
	text, err := os.ReadFile(s.log)
	if err != nil {
		return err.Error()
	}
	var lines []string
	for line := range strings.Lines(string(text)) {
		if len(line) > 300 {
			line = line[:300] + "…\n"
		}
		if lines = append(lines, line); len(lines) <= 60 {
			continue
		}
		if !crashed(lines[0]) {
			lines = lines[1:]
		} else if len(lines) > 150 {
			break // how it ended is where it began to
		}
	}
	return strings.Join(lines, "")
}

// crashed reports whether a line begins what Go or V8 print at the end of a process.
func crashed(line string) bool {
	for _, start := range []string{"panic:", "fatal error:", "SIG", "#", "runtime:", "terminate called"} {
		if strings.HasPrefix(line, start) {
			return true
		}
	}
	return false
}

// until waits until try succeeds.
func (s *server) until(what string, within time.Duration, try func() error) {
	s.t.Helper()
	end := time.Now().Add(within)
	for {
		err := try()
		if err == nil {
			return
		}
		if time.Now().After(end) {
			s.t.Errorf("%s: not within %s: %v\n%s", what, within, err, s.tail())
			return
		}
		select {
		case err := <-s.exited:
			s.exited <- err
			if err != nil {
				s.t.Fatalf("%s: the daemon ended: %v\n%s", what, err, s.tail())
			}
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func freeAddr(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}
