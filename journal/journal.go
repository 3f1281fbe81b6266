// Package journal carries log lines from slog to where the operator reads
// them: journald in its native protocol, JSON lines, or text for a terminal.
//
// It owns the form of a line there, that writing one never keeps a request
// waiting, that one app's flood neither fills the disk nor crowds out the
// others, and the last lines of each app for those who follow it. It doesn't
// decide what is logged.
//
// Attributes with a meaning: "app" and "request_id" say whose line it is;
// "console" is true on what an app itself wrote, which Limiter limits.
package journal

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"time"

	sdjournal "github.com/coreos/go-systemd/v22/journal"
	"golang.org/x/sys/unix"
)

// The forms of a log.
const (
	Auto   = "auto"    // Native if stderr is the journal, Text on a terminal, else JSON
	Native = "journal" // journald's fields
	JSON   = "json"    // a JSON object a line
	Text   = "text"    // lines for people, in colour on a terminal
)

// Options says where lines go.
type Options struct {
	Mode    string       // one of the constants above; "" is Auto
	Output  io.Writer    // for JSON and Text; nil is stderr
	Version string       // of NANO; every line but Text's says it
	Level   slog.Leveler // what is less than this is left out; nil is slog.LevelInfo

	socket string // journald's; "" is the real one
}

// closeTimeout is how long Close waits for a reader that doesn't read.
const closeTimeout = 3 * time.Second

// Journal is an open log. Its methods may be called from any goroutine.
type Journal struct {
	logger  *slog.Logger
	access  *slog.Logger
	limiter *Limiter
	queue   *queue
	written chan struct{} // closed when the queue has been written out
	sink    sink

	mu    sync.Mutex // guards the field below
	rings map[string]*ring
}

// New opens a log. Close it to write out what is under way.
func New(o Options) (*Journal, error) {
	if o.Output == nil {
		o.Output = os.Stderr
	}
	if o.Level == nil {
		o.Level = slog.LevelInfo
	}
	mode := o.Mode
	if mode == "" || mode == Auto {
		mode = detect(o)
	}
	j := &Journal{queue: newQueue(), written: make(chan struct{}), rings: make(map[string]*ring)}
	var inner slog.Handler
	switch mode {
	case Native:
		s, err := dialJournald(o.socket)
		if err != nil {
			return nil, err
		}
		j.sink = s
		inner = &nativeHandler{out: j.queue, level: o.Level, version: o.Version}
	case JSON:
		j.sink = stream{o.Output}
		inner = newJSONHandler(j.queue, o)
	case Text:
		j.sink = stream{o.Output}
		inner = &textHandler{out: j.queue, level: o.Level, style: styleFor(o.Output)}
	default:
		return nil, fmt.Errorf("cannot log in the form %q: it is one of %q, %q, %q and %q", mode, Auto, Native, JSON, Text)
	}
	j.access = slog.New(inner)
	j.logger = slog.New(&handler{journal: j, inner: inner})
	j.limiter = NewLimiter(j.saySuppressed)
	go func() {
		defer close(j.written)
		j.queue.run(j.sink, j.sayDropped)
	}()
	return j, nil
}

// detect chooses a form by what stderr is.
func detect(o Options) string {
	if o.Output == os.Stderr {
		if is, err := sdjournal.StderrIsJournalStream(); err == nil && is {
			if s, err := dialJournald(o.socket); err == nil {
				s.close()
				return Native
			}
		}
	}
	if isTerminal(o.Output) {
		return Text
	}
	return JSON
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}

// Logger is for everything but access lines.
func (j *Journal) Logger() *slog.Logger { return j.logger }

// Access is for access lines, which are neither limited nor kept for Tail:
// they have their own sampling, and would leave no room for an app's own.
func (j *Journal) Access() *slog.Logger { return j.access }

// Forget drops what is kept for an app that is no more. Those who follow it
// go on, should it come back.
func (j *Journal) Forget(app string) {
	j.limiter.forget(app)
	j.mu.Lock()
	defer j.mu.Unlock()
	if r := j.rings[app]; r != nil && r.forget() {
		delete(j.rings, app)
	}
}

// Close writes out what was logged, for a few seconds at most, and says what
// the limiter still holds back. Lines that are logged later are lost.
func (j *Journal) Close() error {
	j.limiter.flush()
	j.queue.close()
	select {
	case <-j.written:
		return j.sink.close()
	case <-time.After(closeTimeout):
		return fmt.Errorf("cannot write out the log: its reader took nothing for %v", closeTimeout)
	}
}

func (j *Journal) saySuppressed(app string, lines int, during time.Duration) {
	j.logger.LogAttrs(context.Background(), slog.LevelWarn,
		fmt.Sprintf("suppressed %d lines of app %q in %v", lines, app, during.Round(time.Second)),
		slog.String("app", app), slog.Int("suppressed", lines))
}

func (j *Journal) sayDropped(lines int) {
	j.logger.LogAttrs(context.Background(), slog.LevelError,
		fmt.Sprintf("dropped %d log lines: their reader is too slow", lines), slog.Int("dropped", lines))
}
