package daemon

import (
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"strconv"
	"strings"

	"github.com/cloudflare/tableflip"
	"golang.org/x/sys/unix"
)

// reportName is the report's name among the files that generations hand on.
const reportName = "report"

// maxReport bounds what is read of a report, in bytes: a crash can be long.
const maxReport = 64 << 10

// A report is where a new generation tells the old one how its start goes: a file in
// memory that both have open, so that nothing is lost when the new one is killed. The
// lines are "pid 12", "step …" for what it is doing, "fail …" with the quoted reason,
// and, as the runtime writes it, the text of a crash.
type report struct{ file *os.File }

func newReport() (*report, error) {
	fd, err := unix.MemfdCreate("nano-report", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("cannot make a file in memory: %w", err)
	}
	// Whoever writes next, it goes to the end, also after the file was emptied.
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_SETFL, unix.O_APPEND|unix.O_RDWR); err != nil {
		_ = unix.Close(fd)
		return nil, fmt.Errorf("cannot set up a file in memory: %w", err)
	}
	return &report{os.NewFile(uintptr(fd), reportName)}, nil
}

// takeReport returns the report that the old generation reads; nil if there is none.
func takeReport(fds *tableflip.Fds) (*report, error) {
	file, err := fds.File(reportName)
	if err != nil || file == nil {
		return nil, err
	}
	r := &report{file}
	fmt.Fprintf(file, "pid %d\n", os.Getpid())
	// It stays nice to have: the reason of a crash is on stderr, too.
	_ = debug.SetCrashOutput(file, debug.CrashOptions{})
	return r, nil
}

func (r *report) step(text string) {
	if r != nil {
		fmt.Fprintf(r.file, "step %s\n", text)
	}
}

func (r *report) fail(err error) {
	if r != nil {
		fmt.Fprintf(r.file, "fail %s\n", strconv.Quote(err.Error()))
	}
}

// close ends the reporting: the start is over.
func (r *report) close() {
	if r != nil {
		_ = debug.SetCrashOutput(nil, debug.CrashOptions{})
		_ = r.file.Close()
	}
}

func (r *report) reset() error { return r.file.Truncate(0) }

// outcome is what a new generation reported.
type outcome struct {
	pid  int
	step string // the last one
	fail string // the reason it gave, or the first line of a crash
}

func (r *report) read() (o outcome, err error) {
	text, err := io.ReadAll(io.NewSectionReader(r.file, 0, maxReport))
	if err != nil {
		return o, err
	}
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSuffix(line, "\n")
		kind, rest, _ := strings.Cut(line, " ")
		switch kind {
		case "pid":
			o.pid, _ = strconv.Atoi(rest)
		case "step":
			o.step = rest
		case "fail":
			o.fail, _ = strconv.Unquote(rest)
			return o, nil
		case "panic:", "fatal", "runtime:", "SIGSEGV:", "SIGABRT:", "SIGBUS:", "SIGILL:", "SIGFPE:":
			if o.fail == "" {
				o.fail = line
			}
		}
	}
	return o, nil
}

// explain says why a new generation didn't start: what it said itself, if it got to
// that, else what became of its process and what it was doing.
func (o outcome) explain(err error) error {
	switch {
	case o.fail != "":
		return errors.New(o.fail)
	case o.step != "":
		return fmt.Errorf("%w while it was %s", err, o.step)
	}
	return err
}
