package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// FrontOptions is what a [Front] is made from.
type FrontOptions struct {
	Handler Handler
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

	lines   atomic.Uint64 // access lines that were due
	refuses atomic.Uint64 // what could not be read as requests

	mu        sync.Mutex // guards what is below
	first     *conn      // of all connections, in a ring
	hand      *conn      // where the search for one to give up goes on
	count     int
	perClient map[netip.Addr]int
	listeners map[net.Listener]struct{}
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
		listeners: make(map[net.Listener]struct{}),
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
	defer ln.Close()
	if !f.listen(ln) {
		return nil
	}
	defer f.unlisten(ln)
	for {
		nc, err := ln.Accept()
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
		f.accept(nc)
	}
}

// temporary reports whether an error of Accept is about one connection, or about what
// the system is short of at the moment.
func temporary(err error) bool {
	var e interface{ Temporary() bool }
	return errors.As(err, &e) && e.Temporary()
}

func (f *Front) listen(ln net.Listener) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.isDraining() {
		return false
	}
	f.listeners[ln] = struct{}{}
	if f.reaper == nil {
		ctx, cancel := context.WithCancel(context.Background())
		f.reaper = cancel
		go f.reap(ctx)
		f.h2 = newHTTP2(f)
		go f.h2.server.Serve(f.h2)
	}
	return true
}

func (f *Front) unlisten(ln net.Listener) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.listeners, ln)
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
	for ln := range f.listeners {
		if d, ok := ln.(interface{ SetDeadline(time.Time) error }); !ok || d.SetDeadline(time.Now().Add(sweep)) != nil {
			_ = ln.Close()
		}
	}
	stopReaper, h2 := f.reaper, f.h2
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
		_ = c.nc.Close()
	}
	if len(conns) == 0 {
		return nil
	}
	return fmt.Errorf("%d connections were cut off at the end of the time for draining", len(conns))
}

// handle calls the handler. One that panics is a bug of ours, and costs its request.
func (f *Front) handle(x *Exchange, handler Handler) {
	defer func() {
		p := recover()
		if p == nil {
			return
		}
		if p != http.ErrAbortHandler {
			f.opts.Log.Error("a request made the daemon panic", "request_id", x.ID, "app", x.App, "panic", p, "stack", string(debug.Stack()))
		}
		x.broken = true
		if x.status != 0 || p == http.ErrAbortHandler {
			x.Abort()
		}
	}()
	handler(x)
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
