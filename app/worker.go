package app

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nano-runtime/nano/bundle"
	"github.com/nano-runtime/nano/daemon"
	"github.com/nano-runtime/nano/isolate"
	"github.com/nano-runtime/nano/webapi"
)

// waitUntilLimit bounds how long an app may work on after a response.
const waitUntilLimit = 30 * time.Second

// worker is one isolate that runs a release's module, and the calls in it.
type worker struct {
	rel      *release
	isolate  *isolate.Isolate
	run      func(block func()) (again bool) // the isolate's
	by       atomic.Pointer[daemon.Workers]  // who served the last call's client
	ops      *webapi.Host
	inFlight atomic.Int64 // calls without a whole response
	touched  []*call      // those that have news from this tick; the loop's own

	// mu guards the fields below.
	mu    sync.Mutex
	calls map[uint32]*call // until JavaScript is done with them, waitUntil included
	last  uint32
	idle  chan struct{} // closed when calls is empty, if somebody waits for that
}

// newWorker makes an isolate and loads the release's module into it.
func newWorker(ctx context.Context, rel *release, b *bundle.Bundle) (*worker, error) {
	set := rel.app.set
	w := &worker{rel: rel, calls: make(map[uint32]*call)}
	host := webapi.HostOptions{Fetcher: rel.fetcher, Send: w.send, Work: func(f func()) { w.isolate.Work(f) }}
	if rel.assets != nil {
		host.Assets = rel.assets
	}
	w.ops = webapi.NewHost(host)
	i, err := isolate.New(isolate.Options{
		Snapshot:  set.snapshot,
		Scheduler: set.scheduler,
		App:       rel.app.Name,
		Version:   rel.identity(),
		Memory:    rel.cfg.Limits.Memory,
		CPU:       rel.cfg.Limits.CPU,
		Handle:    w.handle,
		Handed:    w.handed,
		Lost:      w.lost,
	})
	if err != nil {
		return nil, err
	}
	w.isolate, w.run = i, i.Run
	rejected, err := i.Load(ctx, isolate.Module{
		Code: b.Code, Name: moduleName(rel.app.Name), Env: rel.env, Cache: rel.module.codeCache(), Assets: rel.assets != nil,
	})
	if err != nil {
		i.Close()
		w.ops.Close()
		return nil, fmt.Errorf("%s", b.MapStack(moduleName(rel.app.Name), err.Error()))
	}
	if rejected {
		rel.module.rejected()
	}
	return w, nil
}

func moduleName(app string) string { return "app:" + app }

// send gives JavaScript the result of something. Who serves the app's clients runs the loop
// on, if that doesn't keep them.
func (w *worker) send(op isolate.Op, id uint32, args ...isolate.Arg) bool {
	sent, idle := w.isolate.Queue(op, id, args...)
	if idle {
		w.loop()
	}
	return sent
}

// loop has the isolate's loop run, which was idle.
func (w *worker) loop() {
	if by := w.by.Load(); by != nil && w.isolate.Prompt() {
		by.Do(w.run)
		return
	}
	go func() {
		for w.run(func() {}) {
		}
	}()
}

// begin hands a call to JavaScript; false where the isolate takes no more.
func (w *worker) begin(c *call, body isolate.Arg) bool {
	w.mu.Lock()
	w.last++
	if w.last == 0 {
		w.last = 1 // 0 means: no request
	}
	id := w.last
	w.mu.Unlock()
	c.mu.Lock()
	c.id, c.worker = id, w
	c.mu.Unlock()
	w.isolate.Mark(id, c.x.ID)
	args := [...]isolate.Arg{isolate.Text(c.x.Method), isolate.Text(c.x.URL()), isolate.Latin1(string(c.x.Header)), body}
	if by := c.x.Workers(); w.by.Load() != by {
		w.by.Store(by)
	}
	w.mu.Lock()
	sent, idle := w.isolate.Queue(isolate.InRequest, id, args[:]...)
	if sent { // nobody hears of it before it is in here, nor of the isolate's end
		w.calls[id] = c
	}
	w.mu.Unlock()
	if idle {
		w.loop()
	}
	return sent
}

// abort tells JavaScript that nobody waits for the answer any more.
func (w *worker) abort(id uint32, reason string) {
	w.isolate.Send(isolate.InAbort, id, isolate.Text(reason))
}

// acknowledge lets go of chunks that were sent, or that nobody takes any more: JavaScript
// remembers them until then. The loop drops it where the isolate is no more.
func (w *worker) acknowledge(chunks []chunk) {
	for _, k := range chunks {
		if k.ack != 0 {
			w.isolate.Send(isolate.InResult, k.ack)
		}
	}
}

// find is the call with that id, or nil.
func (w *worker) find(id uint32) *call {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.calls[id]
}

// end forgets a call.
func (w *worker) end(id uint32) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if c := w.calls[id]; c != nil && c.grace != nil {
		c.grace.Stop()
	}
	delete(w.calls, id)
	if len(w.calls) == 0 && w.idle != nil {
		close(w.idle)
		w.idle = nil
	}
}

// handle takes what JavaScript posted; it is called on the loop's goroutine.
func (w *worker) handle(m *isolate.Message) {
	switch m.Op {
	case isolate.OpRespond, isolate.OpChunk, isolate.OpEnd, isolate.OpFail:
		if c := w.find(m.ID); c != nil {
			w.tell(c, m)
		}
	case isolate.OpReadBody:
		if c := w.find(uint32(m.Arg(0).Number())); c != nil {
			c.onReadBody(m.ID)
		} else {
			w.isolate.Send(isolate.InError, m.ID, isolate.Text("TypeError"), isolate.Text("the request is over: its body can't be read any more"))
		}
	case isolate.OpCancelBody:
		// The front end drops what is left of a body when the response is out.
	case isolate.OpDone:
		w.end(m.ID)
	case isolate.OpLog:
		w.rel.console(w.requestID(m.ID), level(m.Arg(0).Number()), m.Arg(1).Text())
	case isolate.OpUnhandled:
		w.rel.exception(w.requestID(m.ID), "unhandled rejection: "+m.Arg(1).Text())
	default:
		w.ops.Handle(m)
	}
}

// tell gives a call what JavaScript has to say to it.
func (w *worker) tell(c *call, m *isolate.Message) {
	switch m.Op {
	case isolate.OpRespond:
		c.onRespond(m)
	case isolate.OpChunk:
		c.onChunk(m)
	case isolate.OpEnd:
		c.onEnd()
	case isolate.OpFail:
		c.onFail(m)
	}
	if !c.touched {
		c.touched = true
		w.touched = append(w.touched, c)
	}
}

// handed resumes the exchanges of the calls that had news from a tick; it is called on the
// loop's goroutine.
func (w *worker) handed() {
	for i, c := range w.touched {
		c.touched = false
		c.x.Resume()
		w.touched[i] = nil
	}
	w.touched = w.touched[:0]
}

// requestID is the id that logs know a call by.
func (w *worker) requestID(id uint32) string {
	if id == 0 {
		return ""
	}
	if c := w.find(id); c != nil {
		return c.x.ID
	}
	return ""
}

// lost is called when the guard has taken the isolate away.
func (w *worker) lost(l isolate.Loss) {
	w.rel.drop(w)
	w.rel.app.stats.cpu.Add(int64(w.isolate.Busy()))
	w.ops.Close()
	unread := setOf(l.Unstarted)
	w.mu.Lock()
	calls := w.calls
	w.calls = make(map[uint32]*call)
	if w.idle != nil {
		close(w.idle)
		w.idle = nil
	}
	w.mu.Unlock()
	blamed := ""
	if c := calls[l.Blame]; c != nil {
		blamed = c.x.ID
	}
	w.rel.app.lost(w.rel, l, blamed)
	for id, c := range calls {
		c.onLost(lossText(l), unread[id])
	}
}

func setOf(ids []uint32) map[uint32]bool {
	set := make(map[uint32]bool, len(ids))
	for _, id := range ids {
		set[id] = true
	}
	return set
}

// drain waits until JavaScript is done with every call, or ctx ends.
func (w *worker) drain(ctx context.Context) error {
	w.mu.Lock()
	if len(w.calls) == 0 {
		w.mu.Unlock()
		return nil
	}
	if w.idle == nil {
		w.idle = make(chan struct{})
	}
	idle := w.idle
	w.mu.Unlock()
	select {
	case <-idle:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// close disposes of the isolate; calls that are left are broken off.
func (w *worker) close() {
	w.rel.app.stats.cpu.Add(int64(w.isolate.Busy()))
	unread := setOf(w.isolate.Close())
	w.ops.Close()
	w.mu.Lock()
	calls := w.calls
	w.calls = make(map[uint32]*call)
	w.mu.Unlock()
	for id, c := range calls {
		c.onLost("the app's isolate was closed\n", unread[id])
	}
}
