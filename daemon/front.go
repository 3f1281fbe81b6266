package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// FrontOptions is what a [Front] is made from.
type FrontOptions struct {
	Handler Handler
	// Workers is how many goroutines serve connections, but for those that wait; there
	// should be one a core. 0: one for each thread that may run Go at once.
	Workers int
	// TrustedProxies are the networks whose X-Forwarded-For/Proto/Host, Forwarded and
	// X-Request-Id headers and PROXY protocol headers are believed.
	TrustedProxies []netip.Prefix
	// TrustUnix believes the peers on unix sockets too.
	TrustUnix bool
	// Access gets a line for each request; nil: none.
	Access *slog.Logger
	// AccessEvery writes only every n-th line, but all of those with status 500 and
	// above. 0 and 1 write them all.
	AccessEvery int
	// Log gets what the front end itself has to say; nil: nobody.
	Log *slog.Logger
}

// Front serves HTTP/1.1 and, without TLS and by prior knowledge, HTTP/2.
type Front struct {
	opts    FrontOptions
	trust   trust
	limits  limits
	times   times
	buffers buffers
	date    atomic.Pointer[string]
	h2      *http2Server
	poller  *poller // made with the first listener

	lines   atomic.Uint64 // access lines that were due
	refuses atomic.Uint64 // what could not be read as requests

	mu        sync.Mutex // guards what is below
	first     *conn      // of all connections, in a ring
	hand      *conn      // where the search for one to give up goes on
	count     int
	perClient map[netip.Addr]int
	listeners map[*acceptor]struct{}
	reaper    context.CancelFunc // nil before the first Serve
	drained   chan struct{}      // made by Drain; closed when nothing is left
	left      chan struct{}      // closed and replaced when a connection ends and others wait for room
	heads     int                // bytes in buffers of large heads

	draining atomic.Int64 // when idle connections may be closed, as UnixNano; 0: not draining
}

// NewFront makes a front end that isn't listening yet.
func NewFront(opts FrontOptions) *Front {
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	f := &Front{
		opts:      opts,
		trust:     trust{nets: opts.TrustedProxies, unix: opts.TrustUnix},
		limits:    defaultLimits(),
		times:     defaultTimes(),
		perClient: make(map[netip.Addr]int),
		listeners: make(map[*acceptor]struct{}),
	}
	f.setDate(time.Now())
	return f
}

// Stats are counts of a front end.
type Stats struct {
	Connections int    // that are open
	Refused     uint64 // requests that were refused before there was an exchange
}

// Stats returns the counts as they are now.
func (f *Front) Stats() Stats {
	f.mu.Lock()
	defer f.mu.Unlock()
	return Stats{Connections: f.count, Refused: f.refuses.Load()}
}

// sweep is how long a listener goes on accepting what waits in its queue when the front
// end drains: closing it would reset those.
const sweep = 20 * time.Millisecond

// Serve accepts connections from ln, TCP or unix, until Drain; then it closes ln and
// returns nil.
func (f *Front) Serve(ln net.Listener) error {
	a, err := newAcceptor(ln)
	if err != nil {
		_ = ln.Close()
		return err
	}
	defer a.close()
	if listens, err := f.listen(a); !listens {
		return err
	}
	defer f.unlisten(a)
	for {
		fd, remote, err := a.accept()
		if err != nil {
			if f.isDraining() {
				return nil
			}
			if !temporary(err) {
				return err
			}
			f.opts.Log.Error("cannot accept connections", "error", err)
			time.Sleep(50 * time.Millisecond) // for others to give file descriptors back
			continue
		}
		f.awaitRoom()
		f.accept(fd, remote)
	}
}

// temporary reports whether an error of Accept is about one connection, or about what
// the system is short of at the moment.
func temporary(err error) bool {
	var e interface{ Temporary() bool }
	return errors.As(err, &e) && e.Temporary()
}

func (f *Front) listen(a *acceptor) (bool, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.isDraining() {
		return false, nil
	}
	if err := f.startLocked(); err != nil {
		return false, err
	}
	f.listeners[a] = struct{}{}
	return true, nil
}

// start makes what serves connections, unless it is there.
func (f *Front) start() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.startLocked()
}

func (f *Front) startLocked() (err error) {
	if f.reaper != nil {
		return nil
	}
	if f.poller, err = newPoller(f.workers()); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	f.reaper = cancel
	go f.reap(ctx)
	f.h2 = newHTTP2(f)
	go f.h2.server.Serve(f.h2)
	return nil
}

// workers is how many there are.
func (f *Front) workers() int {
	if f.opts.Workers > 0 {
		return f.opts.Workers
	}
	return runtime.GOMAXPROCS(0)
}

func (f *Front) unlisten(a *acceptor) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.listeners, a)
	f.checkDrainedLocked()
}

func (f *Front) isDraining() bool { return f.draining.Load() != 0 }

// graceOver reports whether a drain has come so far that idle connections end.
func (f *Front) graceOver() bool {
	at := f.draining.Load()
	return at != 0 && time.Now().UnixNano() >= at
}

// Drain stops accepting and waits until every request that was accepted has its answer.
// For as long as grace, connections that are idle may still bring a request: its
// response says that it is the last one. When ctx ends, what is left is cut off, and
// the error says how much that was.
func (f *Front) Drain(ctx context.Context, grace time.Duration) error {
	f.mu.Lock()
	f.draining.Store(time.Now().Add(grace).UnixNano())
	drained := make(chan struct{})
	f.drained = drained
	for a := range f.listeners {
		a.finish(sweep)
	}
	stopReaper, h2, poller := f.reaper, f.h2, f.poller
	f.checkDrainedLocked()
	f.mu.Unlock()
	if stopReaper == nil {
		return nil // nothing was ever served
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go h2.drain(ctx, grace)
	var err error
	select {
	case <-drained:
		poller.close()
	case <-ctx.Done():
		err = f.cutOff()
	}
	stopReaper()
	return err
}

func (f *Front) checkDrainedLocked() {
	if f.drained != nil && f.count == 0 && len(f.listeners) == 0 {
		close(f.drained)
		f.drained = nil
	}
}

// cutOff ends all connections.
func (f *Front) cutOff() error {
	conns := f.list(nil)
	for _, c := range conns {
		c.leave()
		c.sock.cut()
	}
	if len(conns) == 0 {
		return nil
	}
	return fmt.Errorf("%d connections were cut off at the end of the time for draining", len(conns))
}

// run calls the handler, or what goes on in its place. It reports whether the exchange is
// over; otherwise it isn't the caller's any more.
func (f *Front) run(x *Exchange) (over bool) {
	for {
		next := x.next
		x.next = nil
		f.handle(x, next)
		if x.next == nil {
			return true
		}
		if x.wire.suspend() {
			return false
		}
	}
}

// suspend lets go of an exchange, unless it is to go on at once.
func (x *Exchange) suspend() bool {
	if x.turn.CompareAndSwap(turnRuns, turnRests) {
		return true
	}
	x.turn.Store(turnRuns)
	return false
}

// handle calls next, or else the handler. One that panics is a bug of ours, and costs its
// request.
func (f *Front) handle(x *Exchange, next func()) {
	defer func() {
		p := recover()
		if p == nil {
			return
		}
		if p != http.ErrAbortHandler {
			f.opts.Log.Error("a request made the daemon panic", "request_id", x.ID, "app", x.App, "panic", p, "stack", string(debug.Stack()))
		}
		x.broken, x.next = true, nil
		if x.status != 0 || p == http.ErrAbortHandler {
			x.Abort()
		}
	}()
	if next != nil {
		next()
		return
	}
	f.opts.Handler(x)
}

// refused counts what could not be read as a request.
func (f *Front) refused(peer netip.Addr, status int, reason string) {
	f.refuses.Add(1)
	f.opts.Log.Debug("refused a request", "client", peer, "status", status, "reason", reason)
}

// logAccess writes the access line of an exchange that is over.
func (f *Front) logAccess(x *Exchange, start time.Time) {
	log := f.opts.Access
	if log == nil {
		return
	}
	if n := uint64(f.opts.AccessEvery); n > 1 && x.status < 500 && f.lines.Add(1)%n != 0 {
		return
	}
	path, _, _ := strings.Cut(x.Target, "?")
	client := "" // of a unix socket
	if x.Client.IsValid() {
		client = x.Client.String()
	}
	log.LogAttrs(context.Background(), slog.LevelInfo, "request",
		slog.String("app", x.App),
		slog.String("request_id", x.ID),
		slog.String("method", x.Method),
		slog.String("path", path),
		slog.Int("status", x.status),
		slog.Int64("bytes", x.written),
		slog.Duration("duration", time.Since(start)),
		slog.String("client", client),
	)
}
