// Package webapi is the web platform that apps see: the JavaScript that every isolate starts with, and the Go side of
// what that JavaScript asks for (fetch, digests). It owns which addresses an app's fetch may reach. It doesn't own the
// requests that apps answer, timers or logs: those are the isolate's and the app's.
package webapi

import (
	_ "embed"
	"net/http"
	"sync"

	"github.com/nano-runtime/nano/isolate"
)

//go:generate go run ./generate

//go:embed dist/prelude.js
var prelude string

// Prelude is the script that makes a bare V8 context a web platform: an expression whose value is a function from the
// bridge's functions to the one that takes messages.
func Prelude() string { return prelude }

// HostOptions says what the host of an isolate has to answer with.
type HostOptions struct {
	Fetcher *Fetcher
	// Assets serves the app's own static files; nil: it has none.
	Assets http.Handler
	// Send gives a message to the isolate. It may be called from any goroutine and must not block.
	Send func(op isolate.Op, id uint32, args ...isolate.Arg) bool
	// Work runs what takes processor time in the app's turns. Handle calls it.
	Work func(f func())
}

// Host answers the asynchronous calls of one isolate. Its methods may be called from any goroutine.
type Host struct {
	fetcher *Fetcher
	assets  http.RoundTripper // nil without
	send    func(op isolate.Op, id uint32, args ...isolate.Arg) bool
	work    func(f func())

	// mu guards the fields below.
	mu        sync.Mutex
	closed    bool
	exchanges map[uint32]*exchange // by the number of their FETCH
	waiting   []*exchange          // those that have no slot yet
	running   int                  // those that have one
	uploads   int                  // bytes of their complete bodies
}

// NewHost makes the host of an isolate.
func NewHost(o HostOptions) *Host {
	h := &Host{fetcher: o.Fetcher, send: o.Send, work: o.Work, exchanges: make(map[uint32]*exchange)}
	if o.Assets != nil {
		h.assets = local{o.Assets}
	}
	return h
}

// Calls of JavaScript, numbered as in js/core/ops.js.
const (
	opFetch      isolate.Op = 32 // call, method, url, headers, body: undefined | string | bytes | true = writes follow, assets
	opFetchRead  isolate.Op = 33 // call, fetch
	opFetchWrite isolate.Op = 34 // call, fetch, bytes
	opFetchClose isolate.Op = 35 // 0, fetch
	opFetchAbort isolate.Op = 36 // 0, fetch
	opDigest     isolate.Op = 37 // call, algorithm, bytes
)

// Handle takes a call that JavaScript posted, on the goroutine of the isolate's loop. It waits for nothing but turns of
// the app, and keeps nothing of m.
func (h *Host) Handle(m *isolate.Message) {
	switch m.Op {
	case opFetch:
		h.fetch(m)
	case opFetchRead:
		h.read(m.ID, fetchOf(m))
	case opFetchWrite:
		h.write(m.ID, fetchOf(m), m.Arg(1).Bytes())
	case opFetchClose:
		h.closeBody(fetchOf(m))
	case opFetchAbort:
		h.drop(fetchOf(m))
	case opDigest:
		h.digest(m.ID, m.Arg(0).Text(), m.Arg(1).Bytes())
	default:
		h.fail(m.ID, "NotSupportedError", "this build doesn't know the call")
	}
}

// fetchOf is the fetch that a message is about.
func fetchOf(m *isolate.Message) uint32 { return uint32(m.Arg(0).Number()) }

// fail makes the call throw: a TypeError, a RangeError, or a DOMException of that name.
func (h *Host) fail(call uint32, name, message string) {
	h.send(isolate.InError, call, isolate.Text(name), isolate.Text(message))
}

// Close gives up all that is under way. Nothing is sent to the isolate afterwards but what is being sent just now.
func (h *Host) Close() {
	h.mu.Lock()
	h.closed = true
	exchanges := h.exchanges
	h.exchanges = make(map[uint32]*exchange)
	h.waiting = nil
	h.mu.Unlock()
	for _, x := range exchanges {
		x.giveUp()
	}
}
