package daemon

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/nano-runtime/nano/daemon/http1"
)

// preface is how a client begins that speaks HTTP/2 by prior knowledge.
const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

// serve speaks with the client until the connection ends.
func (c *conn) serve() {
	if c.trusted && !c.takeProxyHeader() || !c.awaitFirst() {
		c.front.forget(c)
		return
	}
	c.converse()
}

// converse answers requests until the connection ends, or goes on without this goroutine.
func (c *conn) converse() {
	var head http1.Head
	for c.readHead(&head) {
		h := c.open(&head)
		keep, detached := true, false
		if h.Target == "*" {
			_ = h.Respond(http.StatusNoContent, nil, nil) // it can't fail: nothing was staged
			keep = h.finish()
		} else {
			keep, detached = c.exchange(h, c.front.opts.Handler)
		}
		if detached {
			return
		}
		if !keep {
			break
		}
		c.enter(phaseIdle)
	}
	c.front.forget(c)
}

// awaitFirst waits for the first bytes and hands the connection over to HTTP/2 if they
// are its preface. It reports whether the rest is HTTP/1.
func (c *conn) awaitFirst() bool {
	for {
		data := c.buffered()
		if len(data) >= len(preface) && string(data[:len(preface)]) == preface {
			c.serveHTTP2()
			return false
		}
		if len(data) > 0 && !strings.HasPrefix(preface, string(data[:min(len(data), len(preface))])) {
			return true
		}
		if err := c.fill(); err != nil {
			return false
		}
	}
}

// readHead waits for the head of a request and parses it. When it returns false, the
// connection has had its last word.
func (c *conn) readHead(head *http1.Head) bool {
	lim := c.front.limits.head
	from, blank := 0, false
	for {
		data := c.buffered()
		switch {
		case len(data) == 0:
		case data[0] == '\r' && !blank && len(data) == 1:
		case data[0] == '\r' && !blank && data[1] == '\n':
			// Old clients send an empty line behind a body.
			c.consume(2)
			blank = true
			continue
		default:
			next, done, bad := http1.Scan(data, from, lim)
			if bad != nil {
				c.refuse(bad)
				return false
			}
			if done {
				if bad := head.Parse(data[:next], lim); bad != nil {
					c.refuse(bad)
					return false
				}
				return true
			}
			from = next
		}
		if len(data) > 0 && phase(c.phase.Load()&phaseMask) != phaseHead {
			if c.enter(phaseHead) {
				return false
			}
		}
		if len(data) > 0 && len(c.in.b) == cap(c.in.b) {
			if !c.front.growHead(c) {
				c.refuse(&http1.Error{Status: http.StatusServiceUnavailable, Reason: "too many large heads are on their way"})
				return false
			}
		}
		if err := c.fill(); err != nil {
			switch {
			case !c.isExpired() || c.evicted.Load():
			case len(data) > 0:
				c.refuse(&http1.Error{Status: http.StatusRequestTimeout, Reason: "the head takes too long"})
			default:
				c.linger()
			}
			return false
		}
	}
}

// refuse answers what can't be read as a request, and ends the connection.
func (c *conn) refuse(e *http1.Error) {
	c.front.refused(c.peer, e.Status, e.Reason)
	c.enter(phaseBusy)
	if n := len(c.buffered()); n > 0 {
		c.consume(n)
		c.front.settleHead(c)
	}
	text := strconv.Itoa(e.Status) + " " + http.StatusText(e.Status) + ": " + e.Reason + "\n"
	res := http1.Response{
		Status: e.Status,
		Header: []byte("content-type\ntext/plain; charset=utf-8\n"),
		Minor:  1,
		Date:   *c.front.date.Load(),
		Length: int64(len(text)),
		Close:  true,
	}
	c.wmu.Lock()
	err := c.writeLocked(res.AppendTo(nil), []byte(text), nil)
	c.wmu.Unlock()
	if err == nil {
		c.linger()
	}
}

// open begins the exchange of a request that has come.
func (c *conn) open(head *http1.Head) *h1 {
	last := c.enter(phaseBusy)
	h := newH1(c, head)
	h.began = time.Now()
	h.close.Store(head.Close || last)
	c.consume(head.Size)
	c.front.settleHead(c)
	return h
}

// exchange has the handler answer one request. It reports whether the connection goes
// on, and whether it does so without this goroutine.
func (c *conn) exchange(h *h1, handler Handler) (keep, detached bool) {
	holder := h.holder.Load()
	c.front.handle(&h.Exchange, handler)
	if h.holder.Load() != holder {
		return false, true
	}
	keep = h.finish()
	c.front.logAccess(&h.Exchange, h.began)
	return keep, false
}

// detach has another goroutine go on with the connection.
func (h *h1) detach(handler Handler) {
	h.holder.Add(1)
	go func() {
		switch keep, detached := h.c.exchange(h, handler); {
		case detached:
		case keep:
			h.c.enter(phaseIdle)
			h.c.converse()
		default:
			h.c.front.forget(h.c)
		}
	}()
}
