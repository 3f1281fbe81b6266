package daemon

import (
	"context"
	"net/http"
	"strconv"
	"strings"
)


// stdWire carries an exchange over net/http.
type stdWire struct {
	x       *Exchange
	w       http.ResponseWriter
	r       *http.Request
	body    []byte // of a staged response
	started bool
	lent    bool
}

// newStdExchange makes the exchange of a net/http request.
func newStdExchange(t *trust, w http.ResponseWriter, r *http.Request) *Exchange {
	x := &Exchange{
		Client:        peerOf(r),
		Proto:         r.Proto,
		Method:        r.Method,
		Scheme:        "http",
		Host:          r.Host,
		Target:        r.RequestURI,
		Body:          r.Body,
		ContentLength: r.ContentLength,
	}
	x.wire = &stdWire{x: x, w: w, r: r}
	if r.URL.Host != "" {
		// The target is a whole URL.
		x.Target = r.URL.RequestURI()
	}
	var c claims
	for name, values := range r.Header {
		name = strings.ToLower(name)
		for _, value := range values {
			c.take(name, value)
		}
	}
	t.resolve(x, &c)
	if x.ID == "" {
		x.ID = newID()
	}
	x.Header = stdFields(x, r)
	return x
}

// stdFields writes a net/http header as an app gets it.
func stdFields(x *Exchange, r *http.Request) Fields {
	var b strings.Builder
	b.Grow(512)
	add := func(name, value string) {
		b.WriteString(name)
		b.WriteByte('\n')
		b.WriteString(value)
		b.WriteByte('\n')
	}
	add("host", x.Host)
	if r.ContentLength > 0 && r.Header["Content-Length"] == nil {
		add("content-length", strconv.FormatInt(r.ContentLength, 10))
	}
	for name, values := range r.Header {
		name = strings.ToLower(name)
		if new(claims).take(name, "") || name == "expect" {
			continue
		}
		for _, value := range values {
			add(name, value)
		}
	}
	addKnown(x, add)
	return Fields(b.String())
}

// addKnown adds what the front end knows of the client in the place of the claims.
func addKnown(x *Exchange, add func(name, value string)) {
	if x.Client.IsValid() {
		add("x-forwarded-for", x.Client.String())
	}
	add("x-forwarded-proto", x.Scheme)
	add("x-request-id", x.ID)
}

func (w *stdWire) setHeader(header []byte) {
	h := w.w.Header()
	for len(header) > 0 {
		name, value, rest, _ := cutField(header)
		header = rest
		if ofConnection(name) {
			continue
		}
		key := http.CanonicalHeaderKey(string(name))
		h[key] = append(h[key], string(value))
	}
}

func (w *stdWire) respond(status int, header, body []byte) {
	w.setHeader(header)
	h := w.w.Header()
	switch {
	case status == http.StatusNoContent:
		h.Del("Content-Length")
	case bodyless(w.r.Method, status):
		if len(body) > 0 && h.Get("Content-Length") == "" {
			h.Set("Content-Length", strconv.Itoa(len(body)))
		}
	default:
		h.Set("Content-Length", strconv.Itoa(len(body)))
		w.body = append(w.body, body...)
	}
	if h["Content-Type"] == nil {
		h["Content-Type"] = nil // no guessing
	}
}

func (w *stdWire) start(status int, header []byte) {
	w.setHeader(header)
	if h := w.w.Header(); h["Content-Type"] == nil {
		h["Content-Type"] = nil
	}
}

// head sends the head of the response once.
func (w *stdWire) head() {
	if !w.started {
		w.started = true
		w.w.WriteHeader(w.x.status)
	}
}

func (w *stdWire) write(p []byte) (int, error) {
	w.head()
	n, err := w.w.Write(p)
	if err != nil {
		return n, err
	}
	return n, w.flush()
}

func (w *stdWire) flush() error {
	w.head()
	return http.NewResponseController(w.w).Flush()
}

func (w *stdWire) abort() {}

// finish ends the exchange after the handler has returned.
func (w *stdWire) finish() {
	switch {
	case w.x.over:
		panic(http.ErrAbortHandler)
	case w.lent:
	case w.x.status == 0:
		_ = w.x.Respond(http.StatusInternalServerError, nil, nil)
		fallthrough
	default:
		w.head()
		if len(w.body) > 0 {
			_, _ = w.w.Write(w.body)
		}
	}
}

func (w *stdWire) context() context.Context { return w.r.Context() }

func (w *stdWire) http() (http.ResponseWriter, *http.Request) {
	w.lent = true
	return &recorder{ResponseWriter: w.w, x: w.x}, w.r
}

// recorder notes what a lent response writer was used for.
type recorder struct {
	http.ResponseWriter
	x *Exchange
}

func (r *recorder) WriteHeader(status int) {
	if status >= 200 || status == http.StatusSwitchingProtocols {
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

// Unwrap is for http.ResponseController.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }
