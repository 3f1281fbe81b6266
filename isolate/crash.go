package isolate

import (
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Crash says what ran when a process ended by a signal that nothing caught: V8 went
// astray in the middle of JavaScript.
type Crash struct {
	At           time.Time
	App, Version string
	Request      string // what Mark called it; "": none, or one of long ago
}

// RecordCrashes has a crash of this process appended to a file, which stays open; once a
// process.
func RecordCrashes(path string) error {
	startV8()
	file, err := unix.Open(path, unix.O_WRONLY|unix.O_APPEND|unix.O_CREAT|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return &os.PathError{Op: "open", Path: path, Err: err}
	}
	recordCrashes(file)
	return nil
}

// ReadCrashes is what the text of such a file says, oldest first. What is no whole line
// of it is left out: who writes it is about to end.
func ReadCrashes(text string) (cs []Crash) {
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		if len(words) != 4 || !strings.HasSuffix(line, "\n") {
			continue
		}
		ns, err := strconv.ParseInt(words[0], 10, 64)
		if err != nil {
			continue
		}
		c := Crash{At: time.Unix(0, ns), App: words[1], Version: words[2]}
		if words[3] != "-" {
			c.Request = words[3]
		}
		cs = append(cs, c)
	}
	return cs
}

// Mark says what the logs call the request with that id, which is going to be sent.
func (i *Isolate) Mark(id uint32, name string) {
	name = word(name)
	i.living(func() { i.cell.mark(id, name) })
}

func label(o Options) string { return word(o.App) + " " + word(o.Version) }

// word makes a text one of visible ASCII.
func word(s string) string {
	if s == "" {
		return "-"
	}
	return strings.Map(func(r rune) rune {
		if r <= ' ' || r > '~' {
			return '?'
		}
		return r
	}, s)
}
