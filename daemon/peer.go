package daemon

import (
	"context"
	"net/http"

	"golang.org/x/sys/unix"
)

// Peer is the process at the other end of a unix socket, as the kernel knew it when it
// connected.
type Peer struct {
	PID int32
	UID uint32
	GID uint32
}

type credKey struct{}

// PeerOf is who sends a request to Service.Admin, by the request's context.
func PeerOf(ctx context.Context) (Peer, bool) {
	p, ok := ctx.Value(credKey{}).(Peer)
	return p, ok
}

// WithPeer makes a context for PeerOf.
func WithPeer(ctx context.Context, p Peer) context.Context {
	return context.WithValue(ctx, credKey{}, p)
}

// lend makes a handler of net/http's one of ours: the admin socket is drained like the
// public ones. Who asks must be known, so it speaks HTTP/1 alone.
func lend(h http.Handler) Handler {
	return func(x *Exchange) {
		wire, ok := x.wire.(*h1)
		if !ok {
			_ = x.Respond(http.StatusHTTPVersionNotSupported, nil, []byte("speak HTTP/1.1\n"))
			return
		}
		x.Block()
		w, r := x.HTTP()
		if p, ok := wire.c.cred(); ok {
			r = r.WithContext(WithPeer(r.Context(), p))
		}
		h.ServeHTTP(w, r)
	}
}

// cred asks the kernel who is at the other end; only of a unix socket it knows.
func (c *conn) cred() (Peer, bool) {
	cred, err := unix.GetsockoptUcred(c.sock.fd, unix.SOL_SOCKET, unix.SO_PEERCRED)
	if err != nil {
		return Peer{}, false
	}
	return Peer{PID: cred.Pid, UID: cred.Uid, GID: cred.Gid}, cred.Pid > 0
}
