package webapi

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nano-runtime/nano/isolate"
)

const (
	// maxRunning is how many fetches of one isolate may be open at a time, responses that are being read included;
	// maxWaiting is how many more may wait for their turn.
	maxRunning = 64
	maxWaiting = 1024
	// maxUploads is what the complete bodies of open fetches may take together, in bytes, unless there is only one.
	maxUploads = 64 << 20
	// readSize is the most that one read gives, in bytes.
	readSize = 64 << 10
	// A body of up to earlySize bytes is read before JavaScript asks for it, and crosses with the head, unless it takes
	// longer than earlyTime.
	earlySize = 16 << 10
	earlyTime = 2 * time.Millisecond
	// bodyPatience is for how long a response may hold its connection without being read.
	bodyPatience = time.Minute
	// A response that is dropped is read to its end, so that its connection can serve again, if that is cheap.
	drainSize = 4 << 10
	drainTime = time.Second

	// workerPatience is for how long a goroutine waits for another fetch.
	workerPatience = time.Second

	maxResponseHeader = 256 << 10
	headerPatience    = 5 * time.Minute
	idleConnections   = 64
	idlePerHost       = 64
	idleTimeout       = 30 * time.Second
)

// Fetcher makes the requests of one app. Its isolates share its connections, and no other app does.
type Fetcher struct {
	transport *plain
	buffers   sync.Pool      // *[]byte of readSize
	next      chan *exchange // for goroutines that have ended theirs
}

// NewFetcher makes the fetcher of an app that may reach public addresses, and those that allows reports true for: host
// is that of the URL, in its canonical form. allows may be called from many goroutines at once.
func NewFetcher(allows func(host string, addr netip.AddrPort) bool) *Fetcher {
	dial := egress{allows}.dial
	return &Fetcher{
		transport: &plain{dial: dial, rest: &http.Transport{
			Proxy:                  nil, // the environment's proxy is the operator's, not the apps'
			DialContext:            dial,
			ForceAttemptHTTP2:      true,
			DisableCompression:     true, // decode does that
			TLSHandshakeTimeout:    connectTimeout,
			ResponseHeaderTimeout:  headerPatience,
			MaxResponseHeaderBytes: maxResponseHeader,
			MaxIdleConns:           idleConnections,
			MaxIdleConnsPerHost:    idlePerHost,
			IdleConnTimeout:        idleTimeout,
			ReadBufferSize:         16 << 10,
		}},
		next: make(chan *exchange),
		buffers: sync.Pool{New: func() any {
			b := make([]byte, readSize)
			return &b
		}},
	}
}

// Close gives back the connections that serve nobody.
func (f *Fetcher) Close() { f.transport.CloseIdleConnections() }

// run runs x on a goroutine: one that has done so before, if there is one, for its stack has grown to what that takes.
func (f *Fetcher) run(x *exchange) {
	select {
	case f.next <- x:
	default:
		go f.work(x)
	}
}

// work runs x, and whatever comes soon after.
func (f *Fetcher) work(x *exchange) {
	patience := time.NewTimer(workerPatience)
	defer patience.Stop()
	for {
		x.run()
		patience.Reset(workerPatience)
		select {
		case x = <-f.next:
		case <-patience.C:
			return
		}
	}
}

// exchange is one request and its response, until the response's end.
type exchange struct {
	host      *Host
	id        uint32 // the number of the FETCH
	transport http.RoundTripper
	request   *http.Request
	cancel    context.CancelFunc
	upload    *io.PipeWriter // nil where the request is complete
	size      int            // of the complete body, in bytes

	// Host.mu guards the fields below.
	running  bool // it has a slot
	response *http.Response
	body     io.Reader   // of the response, content codings undone
	reading  bool        // a read is under way
	early    bool        // … that JavaScript hasn't asked for
	wanted   uint32      // the call that waits for its end, 0 where none does
	ended    bool        // giveUp has the response
	patience *time.Timer // ends a response that nobody reads
}

func (h *Host) fetch(m *isolate.Message) {
	ctx, cancel := context.WithCancel(context.Background())
	x := &exchange{host: h, id: m.ID, transport: h.fetcher.transport, cancel: cancel}
	if m.Arg(4).Bool() {
		if h.assets == nil {
			cancel()
			h.fail(m.ID, "TypeError", "the app has no assets")
			return
		}
		x.transport = h.assets
	}
	var body io.ReadCloser
	var complete []byte
	if arg := m.Arg(3); arg.Bool() {
		body, x.upload = io.Pipe()
	} else if arg.IsString() || arg.IsBytes() {
		complete = bytes.Clone(arg.Bytes())
		x.size = len(complete)
	}
	request, err := newRequest(ctx, m.Arg(0).Text(), m.Arg(1).Text(), m.Arg(2).Latin1(), complete, body)
	if err != nil {
		cancel()
		h.fail(m.ID, "TypeError", err.Error())
		return
	}
	x.request = request

	if err := h.admit(x); err != nil {
		cancel()
		h.fail(m.ID, "TypeError", err.Error())
	}
}

// admit gives the exchange a slot, or a place in the queue for one.
func (h *Host) admit(x *exchange) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.closed:
		return errors.New("the app is shutting down")
	case h.uploads > 0 && h.uploads+x.size > maxUploads:
		return fmt.Errorf("the bodies of all open fetches would take more than %d MiB: send streams, or fewer at once", maxUploads>>20)
	case h.running == maxRunning && len(h.waiting) == maxWaiting:
		return errors.New("too many fetches at once: read or cancel the bodies of earlier responses")
	}
	h.uploads += x.size
	h.exchanges[x.id] = x
	if h.running == maxRunning {
		h.waiting = append(h.waiting, x)
		return nil
	}
	h.running++
	x.running = true
	h.fetcher.run(x)
	return nil
}

// run asks, and tells JavaScript what the server answered.
func (x *exchange) run() {
	h := x.host
	response, err := x.transport.RoundTrip(x.request)
	if err != nil {
		if h.remove(x) {
			x.giveUp()
			h.fail(x.id, "TypeError", reason(x.request, err))
		}
		return
	}
	hasBody := x.request.Method != http.MethodHead && response.StatusCode != http.StatusNoContent &&
		response.StatusCode != http.StatusResetContent && response.StatusCode != http.StatusNotModified
	body := io.Reader(response.Body)
	if hasBody {
		body = decode(response)
	}
	h.mu.Lock()
	current := h.exchanges[x.id] == x
	x.response, x.body = response, body
	x.early = current && hasBody && body == response.Body && response.ContentLength > 0 && response.ContentLength <= earlySize
	x.reading = x.early
	if current && hasBody && !x.early {
		x.patience = time.AfterFunc(bodyPatience, x.expire)
	}
	early := x.early
	h.mu.Unlock()
	if early {
		x.readEarly()
		return
	}
	if !current || !hasBody {
		if h.remove(x) {
			current = true
		}
		x.giveUp()
	}
	if current {
		x.answer(isolate.Bool(hasBody))
	}
}

// answer tells JavaScript of the response; body is whether there is one to read, or the body itself.
func (x *exchange) answer(body isolate.Arg) {
	x.host.send(isolate.InResult, x.id, isolate.Number(float64(x.response.StatusCode)), isolate.Latin1(statusText(x.response)),
		isolate.Latin1(headerText(x.response.Header)), body)
}

// readEarly reads a small body to its end, which mostly came with the head. Where it is late, or breaks off, the
// answer goes before it.
func (x *exchange) readEarly() {
	h := x.host
	late := time.AfterFunc(earlyTime, x.late)
	buffer := h.fetcher.buffers.Get().(*[]byte)
	defer h.fetcher.buffers.Put(buffer)
	n, err := io.ReadFull(x.body, (*buffer)[:x.response.ContentLength])
	answered := !late.Stop()
	if err == nil && !answered {
		h.mu.Lock()
		x.reading = false
		h.mu.Unlock()
		if h.remove(x) {
			x.giveUp()
			x.answer(isolate.Bytes((*buffer)[:n]))
		}
		return
	}
	h.mu.Lock()
	x.body = io.MultiReader(bytes.NewReader(bytes.Clone((*buffer)[:n])), x.body)
	x.reading, x.early = false, false
	wanted := x.wanted
	current := h.exchanges[x.id] == x
	if x.patience != nil {
		x.patience.Stop()
	}
	if current {
		x.patience = time.AfterFunc(bodyPatience, x.expire)
	}
	h.mu.Unlock()
	switch {
	case !current:
	case wanted != 0:
		h.read(wanted, x.id)
	case !answered:
		x.answer(isolate.Bool(true))
	}
}

// late gives JavaScript the head of a response whose small body hasn't come yet, and that body its time.
func (x *exchange) late() {
	h := x.host
	h.mu.Lock()
	if x.early && h.exchanges[x.id] == x {
		x.patience = time.AfterFunc(bodyPatience, x.expire)
	}
	h.mu.Unlock()
	x.answer(isolate.Bool(true))
}

// statusText is the reason phrase.
func statusText(r *http.Response) string {
	_, text, _ := strings.Cut(r.Status, " ")
	return text
}

// headerText is headers in the form in which they cross to JavaScript. net/http doesn't keep the order of names.
func headerText(header http.Header) string {
	names := make([]string, 0, len(header))
	for name := range header {
		names = append(names, name)
	}
	slices.Sort(names)
	var text strings.Builder
	for _, name := range names {
		for _, value := range header[name] {
			text.WriteString(strings.ToLower(name))
			text.WriteByte('\n')
			text.WriteString(value)
			text.WriteByte('\n')
		}
	}
	return text.String()
}

// read answers the call with what there is of the fetch's body, or null at its end.
func (h *Host) read(call, id uint32) {
	h.mu.Lock()
	x := h.exchanges[id]
	if x != nil && x.early && x.wanted == 0 {
		x.wanted = call
		if x.patience != nil {
			x.patience.Stop()
		}
		h.mu.Unlock()
		return
	}
	if x == nil || x.body == nil || x.reading {
		h.mu.Unlock()
		h.fail(call, "TypeError", "the response's body is gone: it was dropped, or was not read for a minute")
		return
	}
	x.reading = true
	x.patience.Stop()
	h.mu.Unlock()
	go func() {
		buffer := h.fetcher.buffers.Get().(*[]byte)
		defer h.fetcher.buffers.Put(buffer)
		n, err := x.body.Read(*buffer)
		for n == 0 && err == nil {
			n, err = x.body.Read(*buffer)
		}
		h.mu.Lock()
		x.reading = false
		if n > 0 {
			x.patience.Reset(bodyPatience)
		}
		h.mu.Unlock()
		switch {
		case n > 0:
			h.send(isolate.InResult, call, isolate.Bytes((*buffer)[:n]))
			return
		case !h.remove(x):
			return // dropped meanwhile: nobody waits for the answer
		}
		x.giveUp()
		if err == io.EOF {
			h.send(isolate.InResult, call, isolate.Null())
		} else {
			h.fail(call, "TypeError", "the response's body broke off: "+reason(x.request, err))
		}
	}()
}

// write gives the request's body more, and answers when that is taken.
func (h *Host) write(call, id uint32, data []byte) {
	x := h.find(id)
	if x == nil || x.upload == nil {
		h.send(isolate.InResult, call, isolate.Bool(false))
		return
	}
	if len(data) > readSize { // the platform sends slices of that; what it sends waits outside of V8's books
		x.upload.CloseWithError(errors.New("a part of the body is too large"))
		h.send(isolate.InResult, call, isolate.Bool(false))
		return
	}
	data = bytes.Clone(data)
	go func() {
		_, err := x.upload.Write(data)
		h.send(isolate.InResult, call, isolate.Bool(err == nil))
	}()
}

// closeBody ends the request's body.
func (h *Host) closeBody(id uint32) {
	if x := h.find(id); x != nil && x.upload != nil {
		x.upload.Close()
	}
}

// drop gives up what is left of a fetch.
func (h *Host) drop(id uint32) {
	if x := h.find(id); x != nil && h.remove(x) {
		x.giveUp()
	}
}

func (h *Host) find(id uint32) *exchange {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.exchanges[id]
}

// remove forgets an exchange, and lets the next one have its slot. It reports false where that had happened before.
func (h *Host) remove(x *exchange) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.removeLocked(x)
}

func (h *Host) removeLocked(x *exchange) bool {
	if h.exchanges[x.id] != x {
		return false
	}
	delete(h.exchanges, x.id)
	h.uploads -= x.size
	if !x.running {
		h.waiting = slices.DeleteFunc(h.waiting, func(other *exchange) bool { return other == x })
		return true
	}
	if len(h.waiting) == 0 {
		h.running--
		return true
	}
	next := h.waiting[0]
	h.waiting = slices.Delete(h.waiting, 0, 1)
	next.running = true
	h.fetcher.run(next)
	return true
}

// expire ends a response that nobody has read for bodyPatience.
func (x *exchange) expire() {
	h := x.host
	h.mu.Lock()
	wanted := x.reading && (!x.early || x.wanted != 0)
	removed := !wanted && h.removeLocked(x)
	h.mu.Unlock()
	if removed {
		x.giveUp()
	}
}

// giveUp ends the exchange wherever it is; it is no longer the host's. Who removes it and run, when the response comes
// just then, may both call it.
func (x *exchange) giveUp() {
	if x.upload != nil {
		x.upload.CloseWithError(context.Canceled)
	}
	x.host.mu.Lock()
	response, reading, ended := x.response, x.reading, x.ended
	x.ended = response != nil
	if x.patience != nil {
		x.patience.Stop()
	}
	x.host.mu.Unlock()
	if ended {
		return
	}
	if response == nil {
		x.cancel()
		return
	}
	if reading || response.ContentLength < 0 || response.ContentLength > drainSize {
		x.cancel()
		response.Body.Close()
		return
	}
	go func() {
		timer := time.AfterFunc(drainTime, func() {
			x.cancel()
			response.Body.Close() // what was cancelled before the response came may not notice
		})
		io.Copy(io.Discard, io.LimitReader(response.Body, drainSize))
		response.Body.Close()
		timer.Stop()
		x.cancel()
	}()
}
