package daemon

import (
	"io"
	"net/http"

	"github.com/nano-runtime/nano/daemon/http1"
)

// newH1 makes the exchange of a request from its head, and copies what it needs of it.
func newH1(c *conn, head *http1.Head) *h1 {
	h := &h1{c: c, minor: head.Minor}
	h.expect.Store(head.Expect)
	h.wire = h
	h.Client, h.Scheme = c.peer, schemeOf(c.secure)
	h.Proto = "HTTP/1.1"
	if head.Minor == 0 {
		h.Proto = "HTTP/1.0"
	}
	h.Method = methodName(head.Method)
	h.ContentLength = head.ContentLength
	h.body = h1Body{h: h, left: head.ContentLength}
	switch {
	case head.ContentLength == 0:
		h.body.err = io.EOF
	case head.ContentLength < 0:
		h.body.left = 0
		h.body.chunked = new(http1.Chunked)
	}
	h.Body = &h.body
	host := head.Host
	if len(host) == 0 {
		host = []byte(c.sock.localAddr()) // HTTP/1.0 knows no hosts
	}
	if c.trusted {
		var said claims
		for _, f := range head.Fields {
			if isClaim(f.Name) {
				said.take(string(f.Name), string(f.Value))
			}
		}
		c.front.trust.resolve(&h.Exchange, &said)
	}
	h.assemble(head, host)
	return h
}

// assemble makes the strings of the exchange, as parts of a single one.
func (h *h1) assemble(head *http1.Head, host []byte) {
	size := len(host)*2 + len(h.Host)*2 + len(head.Target) + 256
	for _, f := range head.Fields {
		size += len(f.Name) + len(f.Value) + 2
	}
	buf := h.c.front.buffers.get(size)
	b := append(buf.b, h.Scheme...)
	b = append(b, "://"...)
	hostAt := len(b)
	if h.Host != "" {
		b = append(b, h.Host...)
	} else {
		b = append(b, host...)
	}
	targetAt := len(b)
	b = appendTarget(b, head.Target)
	fieldsAt := len(b)
	b = append(b, "host\n"...)
	b = append(b, b[hostAt:targetAt]...)
	b = append(b, '\n')
	for _, f := range head.Fields {
		if isClaim(f.Name) || isFraming(f.Name) {
			continue
		}
		b = append(b, f.Name...)
		b = append(b, '\n')
		b = append(b, f.Value...)
		b = append(b, '\n')
	}
	b = appendKnown(b, &h.Exchange)
	idAt := len(b)
	if h.ID != "" {
		b = append(b, h.ID...)
	} else {
		b = appendID(b)
	}
	b = append(b, '\n')
	all := string(b)
	buf.b = b
	h.c.front.buffers.put(buf)
	h.url = all[:fieldsAt]
	h.Host = all[hostAt:targetAt]
	h.Target = all[targetAt:fieldsAt]
	h.Header = Fields(all[fieldsAt:])
	h.ID = all[idAt : len(all)-1]
}

// isFraming reports whether a field says something about a request that the front end
// has dealt with: the host comes first, and the body without its frame.
func isFraming(name []byte) bool {
	switch string(name) {
	case "host", "expect", "transfer-encoding":
		return true
	}
	return false
}

// appendKnown appends what the front end knows of the client, in the place of what
// proxies may claim, up to the request id.
func appendKnown(b []byte, x *Exchange) []byte {
	if x.Client.IsValid() {
		b = append(b, "x-forwarded-for\n"...)
		b = x.Client.AppendTo(b)
		b = append(b, '\n')
	}
	b = append(b, "x-forwarded-proto\n"...)
	b = append(b, x.Scheme...)
	return append(b, "\nx-request-id\n"...)
}

// appendTarget appends a target with its bytes past ASCII as percent-encoding has them.
func appendTarget(b, target []byte) []byte {
	const digits = "0123456789ABCDEF"
	for _, c := range target {
		if c < 0x80 {
			b = append(b, c)
		} else {
			b = append(b, '%', digits[c>>4], digits[c&15])
		}
	}
	return b
}

// methodName is the method as a string, for the common ones without making one.
func methodName(m []byte) string {
	switch string(m) {
	case http.MethodGet:
		return http.MethodGet
	case http.MethodPost:
		return http.MethodPost
	case http.MethodHead:
		return http.MethodHead
	case http.MethodPut:
		return http.MethodPut
	case http.MethodDelete:
		return http.MethodDelete
	case http.MethodOptions:
		return http.MethodOptions
	case http.MethodPatch:
		return http.MethodPatch
	}
	return string(m)
}
