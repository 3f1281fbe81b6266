package control

import (
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/nano-runtime/nano/app"
	"github.com/nano-runtime/nano/isolate"
)

const (
	// crashFile is where a process writes what it dies of, one line a crash.
	crashFile = "crashes"
	// maxCrashes is from which size on the file is begun anew, in bytes.
	maxCrashes = 64 << 10
)

// Quarantines are those that apps begin in, for the app.Set that Start gets.
func (c *Controller) Quarantines() map[string]app.Quarantine { return c.quarantines }

// Crashes names the file for the app.Set that Start gets; "" where there is no place for
// one.
func (c *Controller) Crashes() string {
	if c.state.held == nil {
		return ""
	}
	return filepath.Join(c.state.path, crashFile)
}

// judge makes quarantines of those that the last process left, and of the crashes since.
func (c *Controller) judge(now time.Time) {
	r := &c.state.record
	c.quarantines, c.crashed = r.quarantines(), r.Crashed
	for _, crash := range c.state.crashes() {
		if !crash.At.After(r.Crashed) {
			continue // the last process knew it
		}
		c.crashed = crash.At
		c.log.Error("the app ran when an earlier process crashed", slog.String("app", crash.App),
			slog.String("request_id", crash.Request), slog.String("hash", crash.Version), slog.Time("crashed", crash.At))
		q, out := c.quarantines[crash.App].Crashed(crash, now)
		c.quarantines[crash.App] = q
		if out > 0 {
			c.log.Error("quarantine: no requests for "+out.String(), slog.String("app", crash.App))
		}
	}
}

// crashes are those that the file tells of. A file that has grown long is begun anew: an
// older generation may write at the same time, so it is not made shorter otherwise.
func (s *stateDir) crashes() []isolate.Crash {
	if s.path == "" {
		return nil
	}
	path := filepath.Join(s.path, crashFile)
	text, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		s.log.Warn("cannot read which apps ran when earlier processes crashed", "error", err)
	}
	if len(text) > maxCrashes && s.held != nil {
		if err := os.Truncate(path, 0); err != nil {
			s.log.Warn("cannot begin the list of crashes anew", "error", err)
		}
	}
	return isolate.ReadCrashes(string(text))
}

func (r *record) quarantines() map[string]app.Quarantine {
	qs := make(map[string]app.Quarantine)
	for name, a := range r.Apps {
		if a.Quarantine != nil {
			qs[name] = *a.Quarantine
		}
	}
	return qs
}
