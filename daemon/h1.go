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

// maxInARow is how many requests of one connection are answered while others wait.
const maxInARow = 16

// serve speaks with the client until the connection ends or rests. The poller calls it
// when there is something to read.
func (c *conn) serve() {
	if !c.met {
		if c.trusted && !c.takeProxyHeader() || !c.awaitFirst() {
			c.front.forget(c)
			return
		}
		c.met = true
	}
	c.converse()
}

// converse answers requests until the connection ends or rests, or somebody else goes on
// with it.
func (c *conn) converse() {
	var head http1.Head
	for answered := 1; ; answered++ {
		come, rests := c.readHead(&head)
		if rests {
			return
		}
		if !come {
			break
		}
		if h := c.open(&head); !c.goOn(h) {
			return
		}
		if answered == maxInARow {
			c.sock.block()
		}
	}
	c.front.forget(c)
}

// goOn runs an exchange as far as it gets. It reports whether the connection is at the next
// request; otherwise it isn't the caller's any more.
func (c *conn) goOn(h *h1) bool {
	if h.Target == "*" && h.status == 0 {
		_ = h.Respond(http.StatusNoContent, nil, nil) // it can't fail: nothing was staged
	} else if !c.front.run(&h.Exchange) {
		return false
	}
	keep := h.finish()
	if h.Target != "*" {
		c.front.logAccess(&h.Exchange, h.began)
	}
	if keep {
		c.enter(phaseIdle)
	} else {
		c.front.forget(c)
	}
	return keep
}

// complete goes on with an exchange that was resumed.
func (h *h1) complete(w *worker) {
	h.c.sock.worker.Store(w)
	if h.c.goOn(h) {
		h.c.converse()
	}
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

// readHead waits for the head of a request and parses it; until its first byte comes the
// connection rests, and is no longer the caller's. Where none has come the connection has
// had its last word.
func (c *conn) readHead(head *http1.Head) (come, rests bool) {
	lim := c.front.limits.head
	from := 0
	for {
		data := c.buffered()
		switch {
		case len(data) == 0:
		case data[0] == '\r' && !c.blank && len(data) == 1:
		case data[0] == '\r' && !c.blank && data[1] == '\n':
			// Old clients send an empty line behind a body.
			c.consume(2)
			c.blank = true
			continue
		default:
			next, done, bad := http1.Scan(data, from, lim)
			if bad != nil {
				c.refuse(bad)
				return false, false
			}
			if done {
				if bad := head.Parse(data[:next], lim); bad != nil {
					c.refuse(bad)
					return false, false
				}
				c.blank = false
				return true, false
			}
			from = next
		}
		if len(data) > 0 && phase(c.phase.Load()&phaseMask) != phaseHead {
			if c.enter(phaseHead) {
				return false, false
			}
		}
		if len(data) > 0 && len(c.in.b) == cap(c.in.b) {
			if !c.front.growHead(c) {
				c.refuse(&http1.Error{Status: http.StatusServiceUnavailable, Reason: "too many large heads are on their way"})
				return false, false
			}
		}
		var err error
		if len(data) > 0 {
			err = c.fill()
		} else if rests, err = c.fillOrRest(); rests {
			return false, true
		}
		if err != nil {
			switch {
			case !c.isExpired() || c.evicted.Load():
			case len(data) > 0:
				c.refuse(&http1.Error{Status: http.StatusRequestTimeout, Reason: "the head takes too long"})
			default:
				c.linger()
			}
			return false, false
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
