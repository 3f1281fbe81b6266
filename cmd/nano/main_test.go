package main

import (
	"bufio"
	"bytes"
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

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/nano-runtime/nano/admin"
	"github.com/nano-runtime/nano/internal/await"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"nano":  main,
		"await": awaitMain,
		"ask":   askMain,
		"stop":  stopMain,
	})
}

// TestScripts runs the sessions in testdata, one or more a verb.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Setup: func(env *testscript.Env) error {
			state := filepath.Join(env.WorkDir, "state")
			socket := filepath.Join(env.WorkDir, "admin.sock")
			port, err := freePort()
			if err != nil {
				return err
			}
			env.Vars = append(env.Vars,
				"STATE_DIRECTORY="+state, "NANO_SOCKET="+socket, "PORT="+port,
				"NANO_CONFIG="+filepath.Join(env.WorkDir, "etc/nano.toml"), "TERM=dumb",
				"GORACE=atexit_sleep_ms=0 "+os.Getenv("GORACE"), // each command would wait a second at its end
			)
			env.Defer(func() { stop(socket) })
			return os.Mkdir(state, 0o700)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"code": exitCode, "expand": expand},
	})
}

// freePort is a port on which nobody listens just now.
func freePort() (string, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer ln.Close()
	_, port, err := net.SplitHostPort(ln.Addr().String())
	return port, err
}

// exitCode is the command "code N PROGRAM ARGS…": it must exit with N.
func exitCode(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: code N program [args...]")
	}
	got := 0
	err := ts.Exec(args[1], args[2:]...)
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		got = exit.ExitCode()
	} else if err != nil {
		ts.Fatalf("%v", err)
	}
	if want := args[0]; strconv.Itoa(got) != want {
		ts.Fatalf("exit code %d, want %s", got, want)
	}
}

// expand is the command "expand FILE…": it puts the values of variables into files.
func expand(ts *testscript.TestScript, neg bool, args []string) {
	for _, file := range args {
		text := os.Expand(ts.ReadFile(file), ts.Getenv)
		ts.Check(os.WriteFile(ts.MkAbs(file), []byte(text), 0o644))
	}
}

// awaitMain is the program "await COMMAND… -- TEXT": it runs a command over and over until
// it succeeds and its output holds the text.
func awaitMain() {
	args := os.Args[1:]
	text := ""
	for i, a := range args {
		if a == "--" {
			args, text = args[:i], strings.Join(args[i+1:], " ")
			break
		}
	}
	var out []byte
	var err error
	for end := time.Now().Add(await.Deadline); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		out, err = exec.Command(args[0], args[1:]...).CombinedOutput()
		if err == nil && strings.Contains(string(out), text) {
			fmt.Printf("%s", out)
			return
		}
	}
	fmt.Fprintf(os.Stderr, "in vain: %v\n%s", err, out)
	os.Exit(1)
}

// askMain is the program "ask HOST [PATH [HEADER…]]": it prints status and body of what
// the public port answers.
func askMain() {
	path := "/"
	if len(os.Args) > 2 {
		path = os.Args[2]
	}
	r, err := http.NewRequestWithContext(context.Background(), "GET", "http://127.0.0.1:"+os.Getenv("PORT")+path, nil)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	for _, h := range os.Args[min(len(os.Args), 3):] {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Set(name, value)
	}
	r.Host = os.Args[1]
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	body, err := io.ReadAll(res.Body)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Printf("%d %s\n", res.StatusCode, bytes.TrimSpace(body))
}

// stopMain is the program "stop": it has the daemon end, and waits until it has.
func stopMain() { stop(os.Getenv("NANO_SOCKET")) }

func stop(socket string) {
	ctx, cancel := context.WithTimeout(context.Background(), await.Deadline)
	defer cancel()
	for ctx.Err() == nil {
		s, err := admin.NewClient(socket).Status(ctx)
		if err != nil {
			return
		}
		_ = syscall.Kill(s.PID, syscall.SIGTERM) // it may be gone already
		for syscall.Kill(s.PID, 0) == nil && !zombie(s.PID) && ctx.Err() == nil {
			time.Sleep(10 * time.Millisecond)
		}
	}
}

// zombie reports whether a process has ended and nobody has asked for its status.
func zombie(pid int) bool {
	f, err := os.Open(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return true
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if strings.HasPrefix(lines.Text(), "State:") {
			return strings.Contains(lines.Text(), "Z")
		}
	}
	return false
}
