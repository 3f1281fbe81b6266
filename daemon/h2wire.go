package daemon

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nano-runtime/nano/daemon/http1"
)

// h2 carries an exchange over HTTP/2.
type h2 struct {
	Exchange
	w     http.ResponseWriter
	r     *http.Request
	body  []byte // of a staged response
	ours  bool   // the response was staged or started, not written by who it is lent to
	begun bool   // the head has left
	lent  bool
	// resumed has one signal for each time that the exchange was let go.
	resumed chan struct{}
	gone    func()
	upload  *h2Body
}

func newH2(f *Front, w http.ResponseWriter, r *http.Request) *h2 {
	h := &h2{w: w, r: r, resumed: make(chan struct{}, 1)}
	h.wire = h
	from, _ := r.Context().Value(originKey{}).(origin)
	h.Client = from.peer
	h.Proto = r.Proto
	h.Method = r.Method
	h.Scheme = schemeOf(from.secure)
	h.Host = r.Host
	h.Target = string(appendTarget(nil, []byte(r.RequestURI)))
	h.ContentLength = r.ContentLength
	h.upload = &h2Body{rc: http.NewResponseController(w), body: r.Body, times: f.times}
	h.Body = h.upload
	if f.trust.believes(h.Client) {
		var said claims
		for name, values := range r.Header {
			for _, value := range values {
				said.take(strings.ToLower(name), value)
			}
		}
		f.trust.resolve(&h.Exchange, &said)
	}
	if h.ID == "" {
		h.ID = string(appendID(nil))
	}
	h.url = h.Scheme + "://" + h.Host + h.Target
	h.Header = h.fields()
	return h
}

// fields writes the header as an app gets it.
func (h *h2) fields() Fields {
	b := make([]byte, 0, 512)
	b = append(b, "host\n"...)
	b = append(b, h.Host...)
	b = append(b, '\n')
	for name, values := range h.r.Header {
		name = strings.ToLower(name)
		if isClaim(name) || name == "expect" {
			continue
		}
		for _, value := range values {
			b = append(b, name...)
			b = append(b, '\n')
			b = append(b, value...)
			b = append(b, '\n')
		}
	}
	b = appendKnown(b, &h.Exchange)
	b = append(b, h.ID...)
	return Fields(append(b, '\n'))
}

func (h *h2) setHeader(header []byte) {
	h.ours = true
	to := h.w.Header()
	for len(header) > 0 {
		var name, value []byte
		name, value, header, _ = http1.CutField(header)
		if http1.OfConnection(name) || string(name) == "content-length" {
			continue
		}
		key := http.CanonicalHeaderKey(string(name))
		to[key] = append(to[key], string(value))
	}
	if to["Content-Type"] == nil {
		to["Content-Type"] = nil // nobody guesses it
	}
}

func (h *h2) setLength(n int64) {
	if n >= 0 {
		h.w.Header().Set("Content-Length", strconv.FormatInt(n, 10))
	}
}

func (h *h2) respond(status int, header, body []byte) {
	h.setHeader(header)
	if !bodyless(h.Method, status) {
		h.setLength(int64(len(body)))
		h.body = append(h.body, body...)
		return
	}
	length := promisedLength(status, header)
	if length < 0 && h.Method == http.MethodHead && len(body) > 0 {
		length = int64(len(body))
	}
	h.setLength(length)
}

func (h *h2) start(status int, header []byte) {
	h.setHeader(header)
	h.setLength(promisedLength(status, header))
}

// head sends the head of the response once.
func (h *h2) head() {
	if !h.begun {
		h.begun = true
		h.w.WriteHeader(h.status)
	}
}

func (h *h2) write(p []byte) (int, error) {
	h.head()
	n, err := h.w.Write(p)
	if err != nil {
		return n, err
	}
	return n, h.flush()
}

func (h *h2) flush() error {
	h.head()
	return http.NewResponseController(h.w).Flush()
}

func (h *h2) abort() {}

// suspend waits: the goroutine is the stream's own.
func (h *h2) suspend() bool {
	if !h.Exchange.suspend() {
		return false
	}
	gone := h.r.Context().Done()
	for {
		select {
		case <-h.resumed:
			return false
		case <-gone:
			gone = nil
			if h.gone != nil {
				go h.gone()
			}
		}
	}
}

func (h *h2) resume() { h.resumed <- struct{}{} }

func (h *h2) onGone(f func()) { h.gone = f }

// finish ends the exchange after the handler has returned.
func (h *h2) finish() {
	switch {
	case h.over:
		panic(http.ErrAbortHandler)
	case h.lent && !h.ours && (!h.broken || h.status != 0):
		return
	case h.status == 0:
		_ = h.Respond(http.StatusInternalServerError, nil, nil)
	}
	h.head()
	if len(h.body) > 0 {
		_, _ = h.w.Write(h.body) // a client that is gone needs no more
	}
}

func (h *h2) context() context.Context { return h.r.Context() }

func (h *h2) http() (http.ResponseWriter, *http.Request) {
	h.lent = true
	r := h.r.Clone(h.r.Context())
	r.Host, r.RemoteAddr, r.Header, r.Body = h.Host, remoteAddr(h.Client), h.Header.header(), h.Body
	return &recorder{ResponseWriter: h.w, x: &h.Exchange}, r
}

// recorder notes what a lent response writer was used for.
type recorder struct {
	http.ResponseWriter
	x *Exchange
}

func (r *recorder) WriteHeader(status int) {
	if status >= 200 {
		r.x.status = status
	}
	r.ResponseWriter.WriteHeader(status)
}

func (r *recorder) Write(p []byte) (int, error) {
	if r.x.status == 0 {
		r.x.status = http.StatusOK
	}
	n, err := r.ResponseWriter.Write(p)
	r.x.written += int64(n)
	return n, err
}

// Flush sends what there is; whether that works shows at the next write.
func (r *recorder) Flush() { _ = http.NewResponseController(r.ResponseWriter).Flush() }

// Unwrap is for http.ResponseController.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// h2Body reads the body of a stream and gives up a client that is too slow.
type h2Body struct {
	body   io.Reader
	times  times
	waited time.Duration // in this window
	got    int64         // bytes in it

	mu   sync.Mutex // guards what is below
	rc   *http.ResponseController
	over bool // the handler has returned: net/http panics if rc is used
}

// end is called before the handler returns; somebody else may still read.
func (b *h2Body) end() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.over = true
}

// Close has reads fail from now on, the one under way too.
func (b *h2Body) Close() error {
	err := b.setDeadline(time.Now())
	b.end()
	return err
}

func (b *h2Body) setDeadline(at time.Time) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.over {
		return errOver
	}
	return b.rc.SetReadDeadline(at)
}

func (b *h2Body) Read(p []byte) (int, error) {
	start := time.Now()
	if err := b.setDeadline(start.Add(b.times.window - b.waited)); err != nil {
		return 0, err
	}
	n, err := b.body.Read(p)
	b.waited += time.Since(start)
	if b.got += int64(n); b.got >= b.times.progress {
		b.waited, b.got = 0, 0
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		err = &http1.Error{Status: http.StatusRequestTimeout, Reason: "the body comes too slowly"}
	}
	return n, err
}
