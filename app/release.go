package app

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nano-runtime/nano/assets"
	"github.com/nano-runtime/nano/config"
	"github.com/nano-runtime/nano/daemon"
	"github.com/nano-runtime/nano/isolate"
	"github.com/nano-runtime/nano/webapi"
)

// Version says what runs: each successful load of an app has the next number.
type Version struct {
	Number int       `json:"number"`
	Hash   string    `json:"hash"` // of code, environment and settings
	Since  time.Time `json:"since"`
	By     string    `json:"by"` // "start", "file", "signal" or "api uid=1000"
}

// release is one version of an app: its settings, its code, and the isolates that run
// it. It is made, warmed, serves, drains, and is disposed of; it never changes. One that
// was left for later has no version until its first isolate is made.
type release struct {
	app     *App
	cfg     config.App
	by      string         // who wanted it
	assets  *assets.Server // nil without
	env     string         // JSON
	fetcher *webapi.Fetcher
	module  module

	version atomic.Pointer[Version]   // nil: not known yet
	workers atomic.Pointer[[]*worker] // those that take calls
	woke    atomic.Int64              // when the first of them was made, Unix ns

	// mu guards the fields below.
	mu       sync.Mutex
	starting chan struct{} // closed when the worker that is being made is there
	startErr error
	closed   bool
	sampled  time.Time
	busy     time.Duration // of all workers, when sampled
}

// newRelease reads what an app's settings name; its code is not looked at yet.
func newRelease(a *App, cfg config.App, by string) (*release, error) {
	if len(cfg.Problems) > 0 {
		return nil, cfg.Problems
	}
	r := &release{app: a, cfg: cfg, by: by}
	r.workers.Store(&[]*worker{})
	if cfg.Assets != "" {
		s, err := assets.New(cfg.Assets, assets.Options{NotFound: cfg.NotFound, Ignore: notAssets(cfg)})
		if err != nil {
			return nil, err
		}
		r.assets = s
	}
	if !r.runs() {
		v, _ := a.numbered(r.hash(""), by)
		r.version.Store(&v)
		return r, nil
	}
	var err error
	if r.env, err = environment(cfg); err != nil {
		return nil, err
	}
	r.fetcher = webapi.NewFetcher(func(host string, addr netip.AddrPort) bool {
		return slices.ContainsFunc(cfg.Egress, func(rule config.EgressRule) bool { return rule.Allows(host, addr) })
	})
	return r, nil
}

// runs reports whether the release has code, and not assets alone.
func (r *release) runs() bool { return r.cfg.Entry != "" }

// known is the release's version; a zero one where it was left for later.
func (r *release) known() Version {
	if v := r.version.Load(); v != nil {
		return *v
	}
	return Version{}
}

// notAssets are the files that make the app what it is, where they lie among its
// assets: no visitor gets those.
func notAssets(cfg config.App) []string {
	var lines []string
	if entry, err := filepath.Rel(cfg.Assets, cfg.Entry); cfg.Entry != "" && err == nil && filepath.IsLocal(entry) {
		escape := strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`)
		lines = append(lines, "/"+escape.Replace(entry))
	}
	if filepath.Clean(cfg.Assets) == filepath.Clean(cfg.Root) {
		lines = append(lines, "/package.json", "/package-lock.json", "/wrangler.*", "node_modules/")
	}
	return lines
}

// environment is what the app gets as env, as JSON.
func environment(cfg config.App) (string, error) {
	env := make(map[string]any, len(cfg.Env)+len(cfg.Secrets))
	for name, value := range cfg.Env {
		env[name] = value
	}
	for name, ref := range cfg.Secrets {
		value, err := ref.Resolve()
		if err != nil {
			return "", fmt.Errorf("secret %s: %w", name, err)
		}
		env[name] = value
	}
	b, err := json.Marshal(env)
	return string(b), err
}

// progress is how far a call has come.
type progress int

const (
	served  progress = iota // the exchange has its response
	waits                   // it goes on when something happens
	retired                 // the release was retired before JavaScript saw the request
	astray                  // its isolate was lost before that
)

// maxTries is how many isolates a call is given, if it loses them to other requests.
const maxTries = 3

// errRetired is what a release says that was replaced meanwhile: ask the app again.
var errRetired = errors.New("this version has been replaced")

// serve brings a call as far as it gets now.
func (r *release) serve(c *call) progress {
	for {
		if c.at == nil {
			if p := r.enter(c); p != waits {
				return p
			}
		}
		p := c.advance()
		if p == waits {
			return waits
		}
		w := c.at
		c.at = nil
		w.inFlight.Add(-1)
		if p == served {
			w.linger(c)
			return served
		}
		r.mu.Lock()
		closed := r.closed
		r.mu.Unlock()
		if closed {
			return retired
		}
	}
}

// enter hands a call to an isolate, and makes one where there is none. What it reports is
// waits where it did.
func (r *release) enter(c *call) progress {
	if c.x.ContentLength > r.cfg.Limits.Body {
		c.tooLarge()
		return served
	}
	c.start()
	for ; c.tries < maxTries; c.tries++ {
		w := r.pick()
		if w == nil {
			c.x.Block()
			err := c.await(r)
			switch {
			case c.isOver() || c.isGone():
				return served
			case errors.Is(err, errRetired):
				return retired
			case err != nil:
				r.app.set.log.Error("cannot start: "+err.Error(), slog.String("app", r.app.Name), slog.String("request_id", c.x.ID))
				c.answer(http.StatusServiceUnavailable, "the app can't start\n", "1")
				return served
			}
			if w = r.pick(); w == nil {
				continue
			}
		}
		c.tries++
		return c.enter(w)
	}
	c.answer(http.StatusServiceUnavailable, "the app lost its isolates\n", "1")
	return served
}

// linger bounds what goes on after the response.
func (w *worker) linger(c *call) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.calls[c.id] != c {
		return
	}
	c.grace = time.AfterFunc(waitUntilLimit, func() {
		if w.find(c.id) == c {
			w.isolate.Send(isolate.InAbort, c.id, isolate.Text("waitUntil took too long"), isolate.Bool(true))
			w.end(c.id)
			w.rel.app.hit(c, limitWaitUntil, fmt.Sprintf("waitUntil went on for more than %s after the response", waitUntilLimit))
		}
	})
}

// retire takes the release out of service: what runs may finish until ctx ends, then
// its isolates are disposed of. It reports what had not finished.
func (r *release) retire(ctx context.Context) error {
	r.mu.Lock()
	r.closed = true
	ws := *r.workers.Load()
	r.put(nil) // those who come now go to the release that took its place
	r.mu.Unlock()
	var errs []error
	for _, w := range ws {
		errs = append(errs, w.drain(ctx))
		w.close()
	}
	r.sleep()
	if r.fetcher != nil {
		r.fetcher.Close()
	}
	if r.assets != nil {
		errs = append(errs, r.assets.Close())
	}
	return errors.Join(errs...)
}

// console logs a line that the app wrote.
func (r *release) console(requestID string, l slog.Level, text string) {
	r.app.set.log.LogAttrs(context.Background(), l, text, slog.String("app", r.app.Name), slog.String("request_id", requestID), slog.Bool("console", true))
}

// exception logs and counts what the app threw, with the places in its own sources,
// and returns that text.
func (r *release) exception(requestID, text string) string {
	r.app.stats.exceptions.Add(1)
	text = withoutPrelude(text)
	if b := r.source(); b != nil {
		text = b.MapStack(moduleName(r.app.Name), text)
	}
	r.console(requestID, slog.LevelError, text)
	return text
}

// withoutPrelude leaves our own frames out of a stack: they tell an author nothing.
func withoutPrelude(stack string) string {
	var own []string
	for line := range strings.Lines(stack) {
		if !strings.HasPrefix(line, "    at ") || !strings.Contains(line, "nano:prelude:") {
			own = append(own, line)
		}
	}
	return strings.TrimSuffix(strings.Join(own, ""), "\n")
}

// level is console's level in Go's numbers.
func level(n float64) slog.Level {
	switch n {
	case 0:
		return slog.LevelDebug
	case 2:
		return slog.LevelWarn
	case 3:
		return slog.LevelError
	}
	return slog.LevelInfo
}

// hash tells versions apart by all that they are made of: the code, by its own hash, and
// the settings that it can see.
func (r *release) hash(code string) string {
	h := sha256.New()
	fmt.Fprintf(h, "%s %s %+v", code, r.env, r.cfg.Limits)
	return hex.EncodeToString(h.Sum(nil))[:12]
}

// identity is the hash of the version that the release is, or will be.
func (r *release) identity() string {
	r.module.mu.Lock()
	defer r.module.mu.Unlock()
	return r.hash(r.module.hash)
}

func (r *release) serveAsset(x *daemon.Exchange) bool {
	if x.Method != http.MethodGet && x.Method != http.MethodHead {
		return false
	}
	if x.Method == http.MethodGet {
		switch found, header, body := r.assets.Quick(x.Target, x.Header.All()); found {
		case assets.Found:
			_ = x.Respond(http.StatusOK, header, body) // the header is ours: it can't fail
			return true
		case assets.Absent:
			return false
		}
	}
	return r.assets.Serve(x.HTTP())
}

// serveNotFound answers for an app of assets alone.
func (r *release) serveNotFound(x *daemon.Exchange) {
	if r.assets != nil {
		r.assets.ServeNotFound(x.HTTP())
		return
	}
	respond(x, http.StatusNotFound, "not found\n", "")
}
