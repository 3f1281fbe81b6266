package bundle

import (
	"bufio"
	"bytes"
	"context"
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime/debug"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// defaultMemory is what a build takes at the most, in bytes. Of a script of 400 KB it
	// is some 60 MB.
	defaultMemory = 1 << 30
	// maxReply is the size in bytes of the largest script and its map.
	maxReply = 256 << 20
	// maxComplaint is how much is told of what a bundler said before it crashed.
	maxComplaint = 1 << 10
	// endWithin is how long a process is waited for that has been killed. One that hangs
	// in a network file system doesn't end.
	endWithin = time.Second
)

// BuildApart is Build in a process of its own, which is killed once ctx is done: esbuild
// reads settings and source maps whole, whatever they are, and can't be stopped. args is
// a command line for the program that calls this, its name first, which has it call
// ServeBuild with standard input and output.
func BuildApart(ctx context.Context, args []string, o Options) (*Bundle, error) {
	if o.Memory == 0 {
		o.Memory = defaultMemory
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	type outcome struct {
		b   *Bundle
		err error
	}
	done := make(chan outcome, 1)
	go func() {
		b, err := buildApart(ctx, args, o)
		done <- outcome{b, err}
	}()
	select {
	case out := <-done:
		if out.err != nil && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return out.b, out.err
	case <-ctx.Done():
	}
	patience := time.NewTimer(endWithin)
	defer patience.Stop()
	select {
	case <-done:
	case <-patience.C:
	}
	return nil, ctx.Err()
}

func buildApart(ctx context.Context, args []string, o Options) (*Bundle, error) {
	var request bytes.Buffer
	if err := gob.NewEncoder(&request).Encode(o); err != nil {
		return nil, fmt.Errorf("cannot bundle: the bundler can't be started: %w", err)
	}
	// What runs, and not what lies on the disk by now: both speak the same language.
	cmd := exec.CommandContext(ctx, "/proc/self/exe")
	cmd.Args, cmd.Env = args, environment()
	// Ctrl-C in a terminal is for the parent to hear.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	complaint := head{most: maxComplaint}
	cmd.Stderr = &complaint
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("cannot bundle: the bundler can't be started: %w", err)
	}
	stdout, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		return nil, fmt.Errorf("cannot bundle: the bundler can't be started: %w", err)
	}
	// Stdin stays open: its end tells the bundler that nobody waits any more. Where it
	// can't be written to, the bundler has ended, which is seen below.
	_, _ = stdin.Write(request.Bytes())
	r, err := receive(stdout)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, ended(cmd.Wait(), complaint.text.String(), o.Memory)
	}
	// It has nothing left to do.
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	if err != nil {
		return nil, err
	}
	return r.outcome()
}

// environment is what a bundler needs to know of this process's: no credentials, and
// nothing of systemd's or of another generation's.
func environment() []string {
	env := []string{}
	for _, name := range []string{"GOMAXPROCS", "LD_LIBRARY_PATH"} {
		if value, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+value)
		}
	}
	return env
}

// ended says why a bundler gave no answer. What is looked for are Go's own words.
func ended(err error, complaint string, memory int64) error {
	switch tooMuch := fmt.Sprintf("cannot bundle: it took more than %d MiB of memory", memory>>20); {
	case strings.Contains(complaint, "out of memory"), strings.Contains(complaint, "cannot allocate memory"),
		strings.Contains(complaint, "ThreadSanitizer failed to allocate"):
		return errors.New(tooMuch)
	case strings.Contains(complaint, "pthread_create failed"): // for want of a stack, or by the system's limit
		return errors.New(tooMuch + ", or the system allows no more threads")
	}
	if err == nil {
		err = errors.New("it gave no answer")
	}
	if complaint = strings.TrimSpace(complaint); complaint == "" {
		return fmt.Errorf("cannot bundle: the bundler ended unexpectedly: %w", err)
	}
	return fmt.Errorf("cannot bundle: the bundler ended unexpectedly: %w\n%s", err, complaint)
}

// A head keeps the beginning of what is written: that is where Go says why it crashes.
type head struct {
	text bytes.Buffer
	most int
}

func (h *head) Write(p []byte) (int, error) {
	h.text.Write(p[:min(len(p), h.most-h.text.Len())])
	return len(p), nil
}

// A reply is what a bundler answers; Code and Map bytes follow it.
type reply struct {
	Failed string // an error that is no *Error
	Broken bool   // Messages and Inputs are an *Error

	Messages  []wireMessage // or warnings
	Inputs    []string
	Made      []Stamp
	Code, Map int

	code, deflatedMap []byte
}

type wireMessage struct {
	Message
	Indent string
	Width  int
}

func replyOf(b *Bundle, err error) reply {
	var list []Message
	var r reply
	var broken *Error
	switch {
	case errors.As(err, &broken):
		r.Broken, r.Inputs, list = true, broken.Inputs, broken.Messages
	case err != nil:
		r.Failed = err.Error()
	default:
		r.Inputs, r.Made, list = b.Inputs, b.Made, b.Warnings
		r.code, r.deflatedMap = b.Code, b.DeflatedMap()
		r.Code, r.Map = len(r.code), len(r.deflatedMap)
	}
	for _, m := range list {
		r.Messages = append(r.Messages, wireMessage{m, m.indent, m.width})
	}
	return r
}

func (r *reply) outcome() (*Bundle, error) {
	var list []Message
	for _, m := range r.Messages {
		m.Message.indent, m.Message.width = m.Indent, m.Width
		list = append(list, m.Message)
	}
	switch {
	case r.Broken:
		return nil, &Error{Messages: list, Inputs: r.Inputs}
	case r.Failed != "":
		return nil, errors.New(r.Failed)
	}
	b := Restore(r.code, r.deflatedMap, r.Inputs)
	b.Warnings, b.Made = list, r.Made
	return b, nil
}

func (r *reply) send(w io.Writer) error {
	out := bufio.NewWriter(w)
	if err := gob.NewEncoder(out).Encode(r); err != nil {
		return err
	}
	for _, part := range [][]byte{r.code, r.deflatedMap} {
		if _, err := out.Write(part); err != nil {
			return err
		}
	}
	return out.Flush()
}

// errTooLarge is why an answer is not taken.
var errTooLarge = fmt.Errorf("cannot bundle: the script and its map are larger than %d MiB", maxReply>>20)

func receive(from io.Reader) (*reply, error) {
	limited := &io.LimitedReader{R: from, N: maxReply}
	in := bufio.NewReader(limited)
	r := new(reply)
	err := gob.NewDecoder(in).Decode(r)
	if err == nil {
		if min(r.Code, r.Map) < 0 || max(r.Code, r.Map) > maxReply {
			return nil, errTooLarge
		}
		r.code, r.deflatedMap = make([]byte, r.Code), make([]byte, r.Map)
		if _, err = io.ReadFull(in, r.code); err == nil {
			_, err = io.ReadFull(in, r.deflatedMap)
		}
	}
	switch {
	case err != nil && limited.N == 0:
		return nil, errTooLarge
	case err != nil:
		return nil, fmt.Errorf("cannot bundle: the bundler's answer is broken: %w", err)
	}
	return r, nil
}

// ServeBuild is the other end of BuildApart. The process that calls it is to end then:
// it has little memory from there on.
func ServeBuild(in io.Reader, out io.Writer) error {
	var o Options
	if err := gob.NewDecoder(in).Decode(&o); err != nil {
		return fmt.Errorf("cannot read what to bundle: %w", err)
	}
	if err := confine(o.Memory); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		_, _ = io.Copy(io.Discard, in) // until the parent has ended
		cancel()
	}()
	b, err := Build(ctx, o)
	if ctx.Err() != nil {
		return errors.New("nobody waits for the bundle any more")
	}
	r := replyOf(b, err)
	return r.send(out)
}

// confine keeps this process from taking what others need.
func confine(memory int64) error {
	// Where memory runs out all the same, this is to end, and not the daemon.
	_ = os.WriteFile("/proc/self/oom_score_adj", []byte("1000"), 0)
	// Nearly all builds are over before there is anything worth collecting.
	debug.SetGCPercent(400)
	debug.SetMemoryLimit(memory / 4 * 3)
	// What the program has mapped by now it doesn't use: the race detector's shadows
	// alone are terabytes.
	var pages int64
	statm, err := os.ReadFile("/proc/self/statm")
	if err == nil {
		var n int64
		_, err = fmt.Sscan(string(statm), &n, &n, &n, &n, &n, &pages)
	}
	if err != nil {
		return fmt.Errorf("cannot tell how much memory the bundler has: %w", err)
	}
	var bound unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_DATA, &bound); err != nil {
		return fmt.Errorf("cannot tell how much memory the bundler may have: %w", err)
	}
	bound.Max = min(bound.Max, uint64(pages*int64(os.Getpagesize())+memory))
	bound.Cur = bound.Max
	if err := unix.Setrlimit(unix.RLIMIT_DATA, &bound); err != nil {
		return fmt.Errorf("cannot bound the bundler's memory: %w", err)
	}
	return nil
}
