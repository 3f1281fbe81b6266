package daemon

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
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
	// Log gets what the front end itself has to say.
	Log *slog.Logger
}

// Front serves HTTP/1.1 and, without TLS and by prior knowledge, HTTP/2.
type Front struct {
	opts   FrontOptions
	trust  trust
	server *http.Server
	lines  atomic.Uint64 // access lines that were due
}

// NewFront makes a front end that isn't listening yet.
func NewFront(opts FrontOptions) *Front {
	f := &Front{opts: opts, trust: trust{nets: opts.TrustedProxies, unix: opts.TrustUnix}}
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true)
	f.server = &http.Server{
		Handler:           http.HandlerFunc(f.serve),
		Protocols:         &protocols,
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       75 * time.Second,
		MaxHeaderBytes:    32 << 10,
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			return context.WithValue(ctx, peerKey{}, addrOf(c.RemoteAddr()))
		},
	}
	return f
}

type peerKey struct{}

func peerOf(r *http.Request) netip.Addr {
	addr, _ := r.Context().Value(peerKey{}).(netip.Addr)
	return addr
}

func (f *Front) serve(w http.ResponseWriter, r *http.Request) {
	start := time.Now()
	x := newStdExchange(&f.trust, w, r)
	f.opts.Handler(x)
	defer f.logAccess(x, start)
	x.wire.(*stdWire).finish()
}

// Serve accepts connections from ln until Drain or Close.
func (f *Front) Serve(ln net.Listener) error {
	if err := f.server.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// Drain stops accepting, waits until every request that was accepted has its answer,
// and closes what is left when ctx ends.
func (f *Front) Drain(ctx context.Context) error {
	if err := f.server.Shutdown(ctx); err != nil {
		return errors.Join(err, f.server.Close())
	}
	return nil
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
	path := x.Target
	for i := range len(path) {
		if path[i] == '?' {
			path = path[:i]
			break
		}
	}
	log.LogAttrs(context.Background(), slog.LevelInfo, "request",
		slog.String("app", x.App),
		slog.String("request_id", x.ID),
		slog.String("method", x.Method),
		slog.String("path", path),
		slog.Int("status", x.status),
		slog.Int64("bytes", x.written),
		slog.Duration("duration", time.Since(start)),
		slog.String("client", x.Client.String()),
	)
}
