package journal

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/nano-runtime/nano/internal/await"
)

// at gives every line of a test the same time.
type at struct{ slog.Handler }

var noon = time.Date(2026, 3, 1, 12, 0, 0, 5e6, time.UTC)

func (h at) Handle(ctx context.Context, r slog.Record) error {
	r.Time = noon
	return h.Handler.Handle(ctx, r)
}

func (h at) WithAttrs(a []slog.Attr) slog.Handler { return at{h.Handler.WithAttrs(a)} }
func (h at) WithGroup(g string) slog.Handler      { return at{h.Handler.WithGroup(g)} }

func TestStreams(t *testing.T) {
	tests := []struct {
		name, mode, want string
		log              func(*slog.Logger)
	}{
		{
			"text", Text, "2026-03-01T12:00:00.005Z INFO  ready apps=3 took=12.35ms\n",
			func(l *slog.Logger) { l.Info("ready", "apps", 3, "took", 12345678*time.Nanosecond) },
		},
		{
			"text of an app", Text, "2026-03-01T12:00:00.005Z ERROR blog: broken request_id=r1 note=\"two words\"\n",
			func(l *slog.Logger) {
				l.Error("broken", "app", "blog", "request_id", "r1", "console", true, "note", "two words")
			},
		},
		{
			"text without a request", Text, "2026-03-01T12:00:00.005Z INFO  blog: started\n",
			func(l *slog.Logger) { l.Info("started", "app", "blog", "request_id", "", "console", true) },
		},
		{
			"text in groups", Text, "2026-03-01T12:00:00.005Z WARN  m a=1 g.b=2 g.h.c=3 g.d=\"\"\n",
			func(l *slog.Logger) {
				l.With("a", 1).WithGroup("g").Warn("m", "b", 2, slog.Group("h", "c", 3), slog.Group("", "d", ""))
			},
		},
		{
			"text of several lines", Text, "2026-03-01T12:00:00.005Z ERROR blog: Error: no app2=x\n        at f\n    2026-03-01T12:00:00.005Z INFO  forged\n",
			func(l *slog.Logger) {
				l.Error("Error: no\n    at f\n2026-03-01T12:00:00.005Z INFO  forged\n", "app", "blog", "app2", "x")
			},
		},
		{
			"text with control characters", Text, `2026-03-01T12:00:00.005Z INFO  blog: red\x1b[31m \a\r x="\x1b[2J"` + "\n",
			func(l *slog.Logger) { l.Info("red\x1b[31m \a\r", "app", "blog", "console", true, "x", "\x1b[2J") },
		},
		{
			"text without debug", Text, "",
			func(l *slog.Logger) { l.Debug("not said") },
		},
		{
			"json", JSON, `{"time":"2026-03-01T12:00:00.005Z","level":"INFO","msg":"ready\nsteady","version":"1.2","took":0.5,"app":"blog"}` + "\n",
			func(l *slog.Logger) { l.Info("ready\nsteady", "took", 500*time.Millisecond, "app", "blog") },
		},
		{
			"a very long line", Text, "2026-03-01T12:00:00.005Z INFO  " + strings.Repeat("x", maxText) + "… (cut)\n",
			func(l *slog.Logger) { l.Info(strings.Repeat("x", maxText+1)) },
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var out await.Log
			j, err := New(Options{Mode: tt.mode, Output: &out, Version: "1.2"})
			if err != nil {
				t.Fatal(err)
			}
			tt.log(slog.New(at{j.Logger().Handler()}))
			if err := j.Close(); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, out.String()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestUnknownMode(t *testing.T) {
	if _, err := New(Options{Mode: "xml"}); err == nil || !strings.Contains(err.Error(), `"xml"`) {
		t.Errorf("got %v", err)
	}
	if _, err := New(Options{Mode: Native, socket: filepath.Join(t.TempDir(), "none")}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("without a journald: got %v", err)
	}
}

// terminal opens a pseudo terminal: what is written to tty is read from screen.
func terminal(t *testing.T) (screen, tty *os.File) {
	t.Helper()
	screen, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { screen.Close() })
	n, err := unix.IoctlGetInt(int(screen.Fd()), unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(int(screen.Fd()), unix.TIOCSPTLCK, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	tty, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tty.Close() })
	return screen, tty
}

func TestColours(t *testing.T) {
	t.Setenv("TERM", "xterm")
	for _, tt := range []struct{ noColor, want string }{
		{"", "\x1b[2m12:00:00.005\x1b[0m \x1b[31mERROR\x1b[0m \x1b[36mblog\x1b[0m: \x1b[32mgreen\x1b[0m \\x1b[2J\x1b[0m \x1b[2ma=\x1b[0m1\r\n"},
		{"1", "12:00:00.005 ERROR blog: \\x1b[32mgreen\\x1b[0m \\x1b[2J a=1\r\n"},
	} {
		t.Setenv("NO_COLOR", tt.noColor)
		screen, tty := terminal(t)
		j, err := New(Options{Output: tty})
		if err != nil {
			t.Fatal(err)
		}
		slog.New(at{j.Logger().Handler()}).Error("\x1b[32mgreen\x1b[0m \x1b[2J", "app", "blog", "console", true, "a", 1)
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
		got := make([]byte, 1000)
		n, err := screen.Read(got)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(tt.want, string(got[:n])); diff != "" {
			t.Errorf("NO_COLOR=%q (-want +got):\n%s", tt.noColor, diff)
		}
	}
}

// What stderr is decides: a child of this test has it as the parent made it.
func TestDetect(t *testing.T) {
	if socket := os.Getenv("JOURNAL_TEST_SOCKET"); socket != "" {
		fmt.Println("mode " + detect(Options{Output: os.Stderr, socket: socket}))
		return
	}
	dir := t.TempDir()
	live := listen(t, filepath.Join(dir, "socket"))
	stderr, err := os.Create(filepath.Join(dir, "stderr"))
	if err != nil {
		t.Fatal(err)
	}
	defer stderr.Close()
	var st unix.Stat_t
	if err := unix.Fstat(int(stderr.Fd()), &st); err != nil {
		t.Fatal(err)
	}
	_, tty := terminal(t)
	own := fmt.Sprintf("%d:%d", st.Dev, st.Ino)
	tests := []struct {
		name, stream, socket string
		stderr               *os.File
		want                 string
	}{
		{"the journal", own, live.path, stderr, Native},
		{"the journal without its socket", own, filepath.Join(dir, "none"), stderr, JSON},
		{"redirected since", fmt.Sprintf("%d:%d", st.Dev, st.Ino+1), live.path, stderr, JSON},
		{"nonsense", "x", live.path, stderr, JSON},
		{"a file", "", live.path, stderr, JSON},
		{"a terminal", "", live.path, tty, Text},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run", "^TestDetect$", "-test.v")
			cmd.Env = append(os.Environ(), "JOURNAL_TEST_SOCKET="+tt.socket, "JOURNAL_STREAM="+tt.stream)
			cmd.Stderr = tt.stderr
			out, err := cmd.Output()
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(string(out), "mode "+tt.want+"\n") {
				t.Errorf("got %s, want mode %s", out, tt.want)
			}
		})
	}
}

// gate is an output that takes nothing until it is opened.
type gate struct {
	await.Log
	open chan struct{}
}

func (g *gate) Write(p []byte) (int, error) {
	<-g.open
	return g.Log.Write(p)
}

// However slow the reader is, nobody waits for it.
func TestSlowReader(t *testing.T) {
	g := &gate{open: make(chan struct{})}
	j, err := New(Options{Mode: Text, Output: g})
	if err != nil {
		t.Fatal(err)
	}
	line := strings.Repeat("x", 1000)
	const lines = 3 * maxQueued / 1000
	for range lines {
		j.Logger().Info(line)
	}
	close(g.open)
	further := 0
	await.That(t, "word of lines that were dropped", func() bool {
		j.Logger().Info("and on")
		further++
		return g.Contains("dropped")
	})
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	var dropped int
	text := g.String()
	if _, err := fmt.Sscanf(text[strings.Index(text, "dropped"):], "dropped %d log lines", &dropped); err != nil {
		t.Fatal(err)
	}
	if written := strings.Count(text, line) + strings.Count(text, "and on"); written == 0 || written+dropped != lines+further {
		t.Errorf("%d lines were written and %d dropped, of %d", written, dropped, lines+further)
	}
}

type failing struct{ fail bool }

func (f *failing) Write(p []byte) (int, error) {
	if f.fail {
		return 0, io.ErrClosedPipe
	}
	return len(p), nil
}

// An output that fails must not make the log busy with saying so.
func TestFailingOutput(t *testing.T) {
	q := newQueue()
	said := 0
	done := make(chan struct{})
	go func() {
		defer close(done)
		q.run(stream{&failing{fail: true}}, func(int) {
			said++
			q.Write([]byte("lines were lost\n"))
		})
	}()
	for range 100 {
		q.Write([]byte("line\n"))
	}
	q.close()
	select {
	case <-done:
	case <-time.After(time.Minute):
		t.Fatal("the queue isn't done")
	}
	if said > 0 {
		t.Errorf("it was said %d times", said)
	}
}

func BenchmarkHandle(b *testing.B) {
	for _, mode := range []string{Text, JSON} {
		b.Run(mode, func(b *testing.B) {
			j, err := New(Options{Mode: mode, Output: io.Discard})
			if err != nil {
				b.Fatal(err)
			}
			defer j.Close()
			b.ReportAllocs()
			for b.Loop() {
				j.Access().LogAttrs(context.Background(), slog.LevelInfo, "request", slog.String("app", "blog"),
					slog.String("request_id", "0123456789abcdef"), slog.String("method", "GET"), slog.String("path", "/a/b"), slog.Int("status", 200))
			}
		})
	}
}
