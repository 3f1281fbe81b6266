package daemon

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strings"

	"github.com/nano-runtime/nano/daemon/http1"
	"golang.org/x/sys/unix"
)

// h1Writer lends an exchange over HTTP/1 to code that speaks net/http.
type h1Writer struct {
	h        *h1
	header   http.Header
	status   int
	held     *buffer // the beginning of a body, while it may turn out to be all of it
	hijacked bool
}

// maxHeld is how much of a body is held back, in bytes, to find out its length.
const maxHeld = minBuffer

func (h *h1) http() (http.ResponseWriter, *http.Request) {
	h.lent = &h1Writer{h: h, header: make(http.Header)}
	r := &http.Request{
		Method:        h.Method,
		URL:           targetURL(h.Target),
		Proto:         h.Proto,
		ProtoMajor:    1,
		ProtoMinor:    h.minor,
		Header:        h.Header.header(),
		Body:          h.Body,
		ContentLength: h.ContentLength,
		Host:          h.Host,
		RemoteAddr:    remoteAddr(h.Client),
		RequestURI:    h.Target,
	}
	return h.lent, r.WithContext(h.context())
}

// targetURL is a target as a URL. It keeps one that net/url finds malformed as it is:
// most of those are fine for everybody else.
func targetURL(target string) *url.URL {
	if u, err := url.ParseRequestURI(target); err == nil {
		return u
	}
	path, query, _ := strings.Cut(target, "?")
	return &url.URL{Path: path, RawQuery: query}
}

// remoteAddr is the client's address in the form of http.Request.RemoteAddr; its port
// is not known.
func remoteAddr(client netip.Addr) string {
	if !client.IsValid() {
		return ""
	}
	return netip.AddrPortFrom(client, 0).String()
}

func (w *h1Writer) Header() http.Header { return w.header }

// WriteHeader starts the response. Informational ones are not sent, but for 101, which
// is what the connection is hijacked for.
func (w *h1Writer) WriteHeader(status int) {
	if w.status != 0 || w.hijacked {
		return
	}
	if status == http.StatusSwitchingProtocols {
		w.status, w.h.status = status, status
		w.switchProtocols()
		return
	}
	if status < 200 {
		return
	}
	w.status, w.h.heldStatus = status, status
	if w.header.Get("Content-Length") != "" || bodyless(w.h.Method, status) {
		w.begin()
	}
}

// begin sends the head, with what was held back, as a response of unknown length.
func (w *h1Writer) begin() {
	if err := w.h.Start(w.status, w.text()); err != nil {
		w.h.c.front.opts.Log.Error("cannot start a response", "request_id", w.h.ID, "error", err)
		w.h.Abort()
	}
}

// text is the header in the form of Fields. Like net/http's, line breaks in it become
// blanks.
func (w *h1Writer) text() []byte {
	var b []byte
	clean := strings.NewReplacer("\r", " ", "\n", " ")
	for name, values := range w.header {
		name = strings.ToLower(name)
		if !http1.IsName(name) {
			continue
		}
		for _, value := range values {
			b = append(b, name...)
			b = append(b, '\n')
			b = append(b, strings.Trim(clean.Replace(value), " \t")...)
			b = append(b, '\n')
		}
	}
	return b
}

func (w *h1Writer) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	if w.h.status != 0 {
		return w.h.Write(p)
	}
	if w.held == nil {
		w.held = w.h.c.front.buffers.get(maxHeld)
	}
	if len(w.held.b)+len(p) <= maxHeld {
		w.held.b = append(w.held.b, p...)
		return len(p), nil
	}
	if err := w.release(p); err != nil {
		return 0, err
	}
	return w.h.Write(p)
}

// release starts the response and sends what was held back; p is what comes next.
func (w *h1Writer) release(p []byte) error {
	held := w.held
	w.held = nil
	defer w.h.c.front.buffers.put(held)
	if held == nil || len(held.b) == 0 {
		w.guessType(p)
		w.begin()
		return nil
	}
	w.guessType(held.b)
	w.begin()
	_, err := w.h.Write(held.b)
	return err
}

func (w *h1Writer) guessType(body []byte) {
	_, typed := w.header["Content-Type"]
	if !typed && len(body) > 0 && w.header.Get("Content-Encoding") == "" {
		w.header.Set("Content-Type", http.DetectContentType(body))
	}
}

// FlushError sends what there is.
func (w *h1Writer) FlushError() error {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	if w.h.status == 0 {
		if err := w.release(nil); err != nil {
			return err
		}
	}
	return w.h.Flush()
}

// Flush is FlushError for those who don't want to know.
func (w *h1Writer) Flush() { _ = w.FlushError() }

// finish ends the response when the handler has returned.
func (w *h1Writer) finish() {
	if w.h.over || w.h.status != 0 {
		return
	}
	if w.status == 0 {
		w.status = http.StatusOK
	}
	var body []byte
	if w.held != nil {
		body = w.held.b
	}
	w.guessType(body)
	if err := w.h.Respond(w.status, w.text(), body); err != nil {
		w.h.c.front.opts.Log.Error("cannot send a response", "request_id", w.h.ID, "error", err)
	}
	w.h.c.front.buffers.put(w.held)
	w.held = nil
}

// sendfileFrom is from which size on, in bytes, a file is sent by the system.
const sendfileFrom = 64 << 10

// ReadFrom has the system send what is left of a file.
func (w *h1Writer) ReadFrom(src io.Reader) (int64, error) {
	limited, ok := src.(*io.LimitedReader)
	if ok && w.h.frame == framedLength && limited.N >= sendfileFrom && limited.N <= w.h.left {
		if file, ok := limited.R.(*os.File); ok {
			return w.sendFile(file, limited)
		}
	}
	return io.Copy(struct{ io.Writer }{w}, src)
}

func (w *h1Writer) sendFile(file *os.File, limited *io.LimitedReader) (int64, error) {
	h := w.h
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.done || bodyless(h.Method, h.status) {
		return 0, errOver
	}
	if err := h.flushLocked(); err != nil {
		return 0, err
	}
	h.c.wmu.Lock()
	n, err := h.c.sendFileLocked(file, limited.N)
	h.c.wmu.Unlock()
	limited.N -= n
	h.left -= n
	h.written += n
	return n, err
}

// sendFileLocked sends n bytes of a file from where it stands, or up to its end.
func (c *conn) sendFileLocked(file *os.File, n int64) (sent int64, err error) {
	source, err := file.SyscallConn()
	if err != nil {
		return 0, err
	}
	var failed error
	push := func(out int) (done bool) {
		err := source.Control(func(in uintptr) {
			for sent < n {
				k, err := retry(func() (int, error) {
					return unix.Sendfile(out, int(in), nil, int(min(n-sent, 1<<20)))
				})
				if errors.Is(err, unix.EAGAIN) {
					c.waitWrite.Store(true)
					return
				}
				if failed = err; err != nil || k == 0 {
					break
				}
				sent += int64(k)
				c.sent.Add(int64(k))
			}
			c.waitWrite.Store(false)
			done = true
		})
		if err != nil {
			failed, done = err, true
		}
		return done
	}
	if err := c.sock.write(push); err != nil {
		failed = err
	}
	if failed != nil {
		c.leave()
	}
	return sent, failed
}

var errHijacked = errors.New("the connection was taken over, or its response has begun")

// Hijack gives the connection away, for a WebSocket.
func (w *h1Writer) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	if w.hijacked || w.h.status != 0 && w.status != http.StatusSwitchingProtocols {
		return nil, nil, errHijacked
	}
	c := w.h.c
	w.hijacked = true
	c.enter(phaseOther)
	nc, err := c.sock.give()
	if err != nil {
		w.h.Abort() // the socket is gone
		return nil, nil, err
	}
	taken := &prefixed{Conn: nc, rest: append([]byte(nil), c.buffered()...), closed: make(chan struct{})}
	if n := len(taken.rest); n > 0 {
		c.consume(n)
	}
	w.h.givenTo = taken
	return taken, bufio.NewReadWriter(bufio.NewReader(taken), bufio.NewWriter(taken)), nil
}

// switchProtocols sends the head of a 101 with everything that is in the header.
func (w *h1Writer) switchProtocols() {
	b := []byte("HTTP/1.1 101 Switching Protocols\r\n")
	for text := w.text(); len(text) > 0; {
		var name, value []byte
		name, value, text, _ = http1.CutField(text)
		b = append(b, name...)
		b = append(b, ": "...)
		b = append(b, value...)
		b = append(b, "\r\n"...)
	}
	b = append(b, "\r\n"...)
	w.h.mu.Lock()
	defer w.h.mu.Unlock()
	_ = w.h.sendLocked(b, nil, nil) // whoever hijacks finds out
}
