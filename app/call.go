package app

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/nano-runtime/nano/daemon"
	"github.com/nano-runtime/nano/isolate"
)

const (
	// wholeBody is up to which size a request's body is read before JavaScript sees the
	// request, so that both cross in one message, in bytes.
	wholeBody = 64 << 10
	// readSize is how much of a longer body crosses at once, in bytes.
	readSize = 64 << 10
	// maxPending bounds what JavaScript may have written and the client has not taken.
	// The prelude keeps to a quarter of it; only code that is after harm gets there.
	maxPending = 1 << 20
)

// phase is how far the answer to a call has come.
type phase uint8

const (
	waiting   phase = iota // for JavaScript's response
	answered               // the response is staged, whole
	streaming              // the head is there, chunks follow
	over                   // answered by us, or broken off: what JavaScript says comes too late
)

// chunk is a part of a streamed response. ack is the promise that waits for it.
type chunk struct {
	data []byte
	ack  uint32
}

// call is one request on its way through an isolate. The exchange is suspended while
// JavaScript has it; the loop of the isolate tells the call what JavaScript did, which
// resumes the exchange.
type call struct {
	x     *daemon.Exchange
	rel   *release
	id    uint32
	began time.Time
	whole []byte // the body, where it was read before JavaScript saw the request

	// These are of the goroutine whose turn it is to do something about the exchange.
	at    *worker // the isolate that has the call
	tries int     // how many had it
	limit *time.Timer
	grace *time.Timer // for what goes on after the response; worker.mu guards it

	touched bool // it has news from this tick; the loop's own

	// mu guards the fields below and the exchange's response.
	mu      sync.Mutex
	worker  *worker
	phase   phase
	status  int    // of a streamed response
	head    []byte // its header, until it is started; until then another can take its place
	started bool
	chunks  []chunk
	pending int  // bytes in chunks
	ended   bool // no more chunks come
	broken  bool // the stream failed: what the client has is not all
	unread  bool // the isolate was lost before JavaScript saw the request
	left    bool // the client went away
	gone    bool // the exchange is over: its body can't be read any more
	got     int64
	cancel  context.CancelFunc // of what it waits for before an isolate has it
}

// start begins to watch the time and the client.
func (c *call) start() {
	if c.limit == nil {
		c.limit = time.AfterFunc(c.rel.cfg.Limits.Timeout-time.Since(c.began), c.timeOut)
		c.x.OnGone(c.leave)
	}
}

// enter hands the call to an isolate.
func (c *call) enter(w *worker) progress {
	body := isolate.Undefined()
	switch n := c.x.ContentLength; {
	case n > 0 && n <= wholeBody:
		if c.whole == nil {
			c.whole = make([]byte, n)
			if _, err := io.ReadFull(c.x.Body, c.whole); err != nil {
				c.badBody(err)
				return served
			}
		}
		body = isolate.Bytes(c.whole)
	case n != 0:
		body = isolate.Number(float64(n))
	}
	if c.isOver() { // it took too long to come
		return served
	}
	c.at = w
	w.inFlight.Add(1)
	if !w.begin(c, body) {
		c.rel.drop(w) // who is to take it out of service may not have come to that yet
		c.mu.Lock()
		c.unread = c.phase == waiting
		c.mu.Unlock()
	}
	return waits
}

// isOver reports whether the call was answered before an isolate had it.
func (c *call) isOver() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.phase != waiting
}

// isGone reports whether the client went away, and ends the call then.
func (c *call) isGone() bool {
	if c.x.Context().Err() == nil {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.phase == waiting {
		c.phase = over
		c.x.Abort()
	}
	return true
}

// leave notes that the client went away.
func (c *call) leave() {
	c.mu.Lock()
	c.left = true
	c.mu.Unlock()
	c.x.Resume()
}

// await waits until r has an isolate, but no longer than the call lasts.
func (c *call) await(r *release) error {
	ctx, cancel := context.WithCancel(c.x.Context())
	defer cancel()
	c.mu.Lock()
	c.cancel = cancel
	if c.phase != waiting {
		cancel()
	}
	c.mu.Unlock()
	return r.warm(ctx, true)
}

// move has another release serve the call.
func (c *call) move(to *release) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.rel, c.tries = to, 0
}

// timeOut answers a call that has no response in time; a timer calls it.
func (c *call) timeOut() {
	c.mu.Lock()
	if c.phase != waiting {
		c.mu.Unlock()
		return
	}
	c.phase = over
	w, id, rel := c.worker, c.id, c.rel
	_ = c.x.Body.Close() // it may be what took so long; nobody needs it any more
	respond(c.x, http.StatusGatewayTimeout, "the app took too long to answer\n", "")
	if c.cancel != nil {
		c.cancel()
	}
	c.mu.Unlock()
	limit := rel.cfg.Limits.Timeout
	rel.app.hit(c, limitTimeout, fmt.Sprintf("no response within %s", limit))
	c.x.Resume()
	if w != nil {
		w.abort(id, "the request took longer than "+limit.String())
	}
}

// advance writes what has come.
func (c *call) advance() progress {
	c.mu.Lock()
	switch {
	case c.left && (c.phase == waiting || c.phase == streaming):
		c.phase = over
		w := c.worker
		c.mu.Unlock()
		w.abort(c.id, "the client went away")
		c.x.Abort()
		return served
	case c.unread && c.phase == waiting:
		c.unread = false
		c.mu.Unlock()
		return astray
	case c.phase == waiting:
		c.mu.Unlock()
		return waits
	case c.phase != streaming:
		c.mu.Unlock()
		return served
	}
	if !c.started {
		c.started = true
		if err := c.x.Start(c.status, c.head); err != nil {
			c.refuse(err)
			w := c.worker
			c.mu.Unlock()
			w.abort(c.id, "the response can't be sent")
			return served
		}
		c.head = nil
	}
	for len(c.chunks) > 0 {
		chunks := c.chunks
		c.chunks = nil
		w := c.worker
		c.mu.Unlock()
		for n, k := range chunks {
			if _, err := c.x.Write(k.data); err != nil {
				c.breakOff("the client went away")
				w.acknowledge(chunks[n:])
				return served
			}
			w.acknowledge(chunks[n : n+1])
		}
		c.mu.Lock()
		for _, k := range chunks {
			c.pending -= len(k.data)
		}
	}
	broken, ended := c.broken, c.ended
	if broken || ended {
		c.phase = over
	}
	c.mu.Unlock()
	switch {
	case broken:
		_ = c.x.Flush() // what there is goes out, at least the head
		c.x.Abort()
		c.breakOff("the response was broken off")
		return served
	case ended:
		return served
	}
	// Nothing more to write just now: what there is goes out.
	if c.x.Flush() != nil {
		c.breakOff("the client went away")
		return served
	}
	return waits
}

// breakOff tells JavaScript that nobody takes the rest of the response.
func (c *call) breakOff(reason string) {
	c.mu.Lock()
	c.phase = over
	w := c.worker
	c.mu.Unlock()
	w.abort(c.id, reason)
}

// close ends the use of the exchange; whatever JavaScript still does finds it gone.
func (c *call) close() {
	if c.limit != nil {
		c.limit.Stop()
	}
	c.mu.Lock()
	c.gone = true
	w, chunks := c.worker, c.chunks
	c.chunks, c.whole = nil, nil
	c.mu.Unlock()
	w.acknowledge(chunks)
}

// open reports whether the exchange can still have any response; the lock is held.
func (c *call) open() bool {
	return c.phase == waiting || c.phase == streaming && !c.started
}

// answer gives the client a response of our own, unless there is one.
func (c *call) answer(status int, text, retryAfter string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.phase != waiting {
		return false
	}
	c.phase = over
	respond(c.x, status, text, retryAfter)
	return true
}

func respond(x *daemon.Exchange, status int, text, retryAfter string) {
	header := "content-type\ntext/plain; charset=utf-8\ncache-control\nno-store\n"
	if retryAfter != "" {
		header += "retry-after\n" + retryAfter + "\n"
	}
	_ = x.Respond(status, []byte(header), []byte(text)) // the header is ours: it can't fail
}

// badBody answers a request whose body could not be read.
func (c *call) badBody(err error) {
	var slow interface{ Timeout() bool }
	if errors.As(err, &slow) && slow.Timeout() {
		c.answer(http.StatusRequestTimeout, "the request's body came too slowly\n", "")
		return
	}
	c.answer(http.StatusBadRequest, "the request's body was cut short\n", "")
}

// The methods below are called on the loop's goroutine, and don't block. When the loop has
// handed out all that a tick has posted, the exchange is resumed.

func (c *call) onRespond(m *isolate.Message) {
	status, header, body := int(m.Arg(0).Number()), m.Arg(1).Raw(), m.Arg(2)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.phase != waiting {
		return
	}
	if body.Bool() {
		c.phase, c.status, c.head = streaming, status, bytes.Clone(header)
		return
	}
	if err := c.x.Respond(status, header, body.Bytes()); err != nil {
		c.refuse(err)
		return
	}
	c.phase = answered
}

// refuse answers for a response that can't be sent; the lock is held.
func (c *call) refuse(err error) {
	c.phase = over
	c.rel.exception(c.x.ID, "cannot send the response: "+err.Error())
	respond(c.x, http.StatusInternalServerError, "Internal Server Error\n", "")
}

func (c *call) onChunk(m *isolate.Message) {
	data, ack := m.Arg(0).Bytes(), uint32(m.Arg(1).Number())
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.phase != streaming || c.broken || c.gone:
		c.worker.acknowledge([]chunk{{ack: ack}})
	case c.pending+len(data) > maxPending && c.pending > 0:
		c.broken = true
		c.worker.acknowledge([]chunk{{ack: ack}})
	default:
		c.chunks = append(c.chunks, chunk{append([]byte(nil), data...), ack})
		c.pending += len(data)
	}
}

func (c *call) onEnd() {
	c.mu.Lock()
	c.ended = true
	c.mu.Unlock()
}

func (c *call) onFail(m *isolate.Message) {
	message, stack := m.Arg(0).Text(), m.Arg(1).Text()
	thrown := cmp.Or(stack, message)
	text := c.rel.exception(c.x.ID, thrown)
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.open():
		c.phase = over
		c.rel.fail(c.x, thrown, text)
	case c.phase == streaming:
		c.broken = true
	}
}

// onLost tells the call that its isolate is no more; text is for the client that has no
// response.
func (c *call) onLost(text string, unread bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.phase == waiting && unread:
		c.unread = true
	case c.open():
		c.phase = over
		respond(c.x, http.StatusServiceUnavailable, text, "")
	case c.phase == streaming:
		c.broken = true
	}
	c.x.Resume()
}

// onReadBody reads the next part of the body, on a goroutine of its own, for the
// promise ack.
func (c *call) onReadBody(ack uint32) {
	c.mu.Lock()
	w, gone := c.worker, c.gone
	c.mu.Unlock()
	if gone {
		w.isolate.Send(isolate.InError, ack, isolate.Text("TypeError"), isolate.Text("the request is over: its body can't be read any more"))
		return
	}
	go func() {
		buf := c.rel.app.set.buffer()
		defer c.rel.app.set.buffers.Put(buf)
		n, err := c.x.Body.Read(buf[:])
		c.mu.Lock()
		c.got += int64(n)
		tooMuch := c.got > c.rel.cfg.Limits.Body
		c.mu.Unlock()
		switch {
		case tooMuch:
			c.tooLarge()
			w.isolate.Send(isolate.InError, ack, isolate.Text("TypeError"), isolate.Text("the request's body is larger than the app's limit"))
		case n > 0:
			w.isolate.Send(isolate.InResult, ack, isolate.Bytes(buf[:n]))
		case err == io.EOF:
			w.isolate.Send(isolate.InResult, ack, isolate.Null())
		default:
			c.badBody(err)
			c.x.Resume()
			w.isolate.Send(isolate.InError, ack, isolate.Text("TypeError"), isolate.Text("the request's body was cut short: "+err.Error()))
		}
	}()
}

// tooLarge answers 413.
func (c *call) tooLarge() {
	limit := c.rel.cfg.Limits.Body
	if c.answer(http.StatusRequestEntityTooLarge, fmt.Sprintf("the request's body is larger than %s\n", sizeText(limit)), "") {
		c.rel.app.hit(c, limitBody, "a request's body was larger than "+sizeText(limit))
		c.x.Resume()
	}
}

func sizeText(n int64) string {
	switch {
	case n >= 1<<20 && n%(1<<20) == 0:
		return fmt.Sprintf("%d MiB", n>>20)
	case n >= 1<<10 && n%(1<<10) == 0:
		return fmt.Sprintf("%d KiB", n>>10)
	}
	return fmt.Sprintf("%d bytes", n)
}
