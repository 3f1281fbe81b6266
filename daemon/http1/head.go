package http1

import (
	"bytes"
	"net/http"
)

// Limits are the sizes past which a head is refused.
type Limits struct {
	Head   int // bytes of the whole head
	Target int // bytes of the request's target
	Fields int // number of fields
}

// Error is what is wrong with a message, and the status that says so to the client.
type Error struct {
	Status int
	Reason string
}

func (e *Error) Error() string { return e.Reason }

// Timeout reports whether the client was too slow.
func (e *Error) Timeout() bool { return e.Status == http.StatusRequestTimeout }

func bad(reason string) *Error { return &Error{http.StatusBadRequest, reason} }

// Field is one line of a head. Its name is in lower case.
type Field struct{ Name, Value []byte }

// Head is the head of a request. Its slices are parts of what was parsed.
type Head struct {
	Method []byte
	// Target is the path and query, beginning with a slash, or "*" for OPTIONS.
	Target []byte
	// Host is the authority of a target that is a whole URL, else the value of the
	// Host field; empty only for HTTP/1.0.
	Host   []byte
	Minor  int // 0 or 1
	Fields []Field
	// ContentLength is the length of the body, -1 for a chunked one.
	ContentLength int64
	// Close says that the client wants no other exchange on the connection.
	Close bool
	// Expect says that the client waits for a 100 before it sends the body.
	Expect bool

	// Size is the length of the whole head.
	Size int

	hosts, lengths, codings int // how many there were of the fields that frame the message
}

// Scan looks for the end of the head at the beginning of buf. from is what an earlier
// call with less of the same buffer returned, or 0. When the head is whole, done is set
// and next is its length.
func Scan(buf []byte, from int, lim Limits) (next int, done bool, err *Error) {
	if len(buf) > 0 && class[buf[0]]&tokenByte == 0 {
		return 0, false, bad("it does not begin with a method")
	}
	for {
		i := bytes.IndexByte(buf[from:], '\n')
		if i < 0 {
			break
		}
		end := from + i
		if end == 0 || buf[end-1] != '\r' {
			return 0, false, bad("a line does not end in CRLF")
		}
		if end-1 == from && from > 0 {
			if end+1 > lim.Head {
				return 0, false, tooLarge(from)
			}
			return end + 1, true, nil
		}
		from = end + 1
	}
	// Room for the longest method and the version, so that it is the target's fault.
	if from == 0 && len(buf) > lim.Target+64 {
		return 0, false, &Error{http.StatusRequestURITooLong, "the request line is too long"}
	}
	if len(buf) > lim.Head {
		return 0, false, tooLarge(from)
	}
	return from, false, nil
}

func tooLarge(from int) *Error {
	if from == 0 {
		return &Error{http.StatusRequestURITooLong, "the request line is too long"}
	}
	return &Error{http.StatusRequestHeaderFieldsTooLarge, "the head is too large"}
}

// Parse reads a whole head, as Scan has found it. It writes to buf: the names of fields
// become lower case. The room of h.Fields is used again.
func (h *Head) Parse(buf []byte, lim Limits) *Error {
	*h = Head{Fields: h.Fields[:0], Size: len(buf)}
	line, rest := cutLine(buf)
	authority, err := h.parseRequestLine(line, lim)
	if err != nil {
		return err
	}
	h.Close = h.Minor == 0
	for {
		line, rest = cutLine(rest)
		if len(line) == 0 {
			break
		}
		if len(h.Fields) == lim.Fields {
			return &Error{http.StatusRequestHeaderFieldsTooLarge, "there are too many header fields"}
		}
		f, err := parseField(line)
		if err != nil {
			return err
		}
		if err := h.note(f); err != nil {
			return err
		}
		h.Fields = append(h.Fields, f)
	}
	return h.check(authority)
}

// cutLine cuts off a line that Scan has seen to end in CRLF.
func cutLine(buf []byte) (line, rest []byte) {
	i := bytes.IndexByte(buf, '\n')
	return buf[:i-1], buf[i+1:]
}

// parseRequestLine returns the authority, too, where the target is a whole URL.
func (h *Head) parseRequestLine(line []byte, lim Limits) (authority []byte, err *Error) {
	i := bytes.IndexByte(line, ' ')
	j := bytes.LastIndexByte(line, ' ')
	if i <= 0 || i == j {
		return nil, bad("the request line does not have three parts")
	}
	h.Method = line[:i]
	if !IsToken(h.Method) {
		return nil, bad("the method is malformed")
	}
	version := line[j+1:]
	switch {
	case string(version) == "HTTP/1.1":
		h.Minor = 1
	case string(version) == "HTTP/1.0":
	case bytes.HasPrefix(version, []byte("HTTP/")):
		return nil, &Error{http.StatusHTTPVersionNotSupported, "the version is not HTTP/1.0 or HTTP/1.1"}
	default:
		return nil, bad("the version is malformed")
	}
	target := line[i+1 : j]
	if len(target) > lim.Target {
		return nil, &Error{http.StatusRequestURITooLong, "the target is too long"}
	}
	if len(target) == 0 || !all(target, pathByte) {
		return nil, bad("the target is malformed")
	}
	switch string(h.Method) {
	case http.MethodConnect, http.MethodTrace, "TRACK":
		return nil, &Error{http.StatusMethodNotAllowed, "the method is not allowed"}
	}
	return h.parseTarget(target)
}

func (h *Head) parseTarget(target []byte) (authority []byte, err *Error) {
	if target[0] == '/' || string(target) == "*" && string(h.Method) == http.MethodOptions {
		h.Target = target
		return nil, nil
	}
	i := bytes.Index(target, []byte("://"))
	if i < 0 || !equalFold(target[:i], "http") && !equalFold(target[:i], "https") {
		return nil, bad("the target is malformed")
	}
	authority = target[i+3:]
	path := []byte("/")
	if i := bytes.IndexAny(authority, "/?"); i >= 0 {
		authority, path = authority[:i], authority[i:]
		if path[0] == '?' {
			path = append([]byte("/"), path...)
		}
	}
	if !IsHost(authority) {
		return nil, bad("the target's host is malformed")
	}
	h.Target = path
	return authority, nil
}

func parseField(line []byte) (f Field, err *Error) {
	if line[0] == ' ' || line[0] == '\t' {
		return f, bad("a header field is folded")
	}
	i := bytes.IndexByte(line, ':')
	if i <= 0 {
		return f, bad("a header field has no name")
	}
	name := line[:i]
	for j, c := range name {
		k := class[c]
		if k&tokenByte == 0 {
			return f, bad("the name of a header field is malformed")
		}
		if k&upperByte != 0 {
			name[j] = c | 0x20
		}
	}
	value := trim(line[i+1:])
	if !IsValue(value) {
		return f, bad("the value of a header field has a control character")
	}
	return Field{name, value}, nil
}

// trim removes blanks around a value.
func trim(b []byte) []byte {
	for len(b) > 0 && (b[0] == ' ' || b[0] == '\t') {
		b = b[1:]
	}
	for len(b) > 0 && (b[len(b)-1] == ' ' || b[len(b)-1] == '\t') {
		b = b[:len(b)-1]
	}
	return b
}

// note keeps what a field says about the message and the connection.
func (h *Head) note(f Field) *Error {
	switch string(f.Name) {
	case "host":
		h.hosts++
		h.Host = f.Value
	case "content-length":
		h.lengths++
		n, ok := parseLength(f.Value)
		if !ok {
			return bad("the content length is malformed")
		}
		h.ContentLength = n
	case "transfer-encoding":
		h.codings++
		if !equalFold(f.Value, "chunked") {
			return &Error{http.StatusNotImplemented, "the transfer coding is not known"}
		}
	case "connection":
		for item := range bytes.SplitSeq(f.Value, []byte(",")) {
			switch item = trim(item); {
			case equalFold(item, "close"):
				h.Close = true
			case equalFold(item, "keep-alive") && h.Minor == 0:
				h.Close = false
			}
		}
	case "expect":
		if !equalFold(f.Value, "100-continue") {
			return &Error{http.StatusExpectationFailed, "the expectation is not known"}
		}
		h.Expect = h.Minor == 1
	}
	return nil
}

// parseLength reads a length of at most 18 digits, which fit an int64.
func parseLength(b []byte) (n int64, ok bool) {
	if len(b) == 0 || len(b) > 18 {
		return 0, false
	}
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	return n, true
}

// check judges the fields together.
func (h *Head) check(authority []byte) *Error {
	switch {
	case h.hosts > 1:
		return bad("there is more than one Host field")
	case h.hosts == 0 && h.Minor == 1:
		return bad("there is no Host field")
	case h.hosts == 1 && !IsHost(h.Host):
		return bad("the host is malformed")
	case h.lengths > 1:
		return bad("there is more than one content length")
	case h.codings > 1:
		return bad("there is more than one transfer coding")
	case h.codings == 1 && h.lengths == 1:
		return bad("there are a content length and a transfer coding")
	case h.codings == 1 && h.Minor == 0:
		return bad("HTTP/1.0 has no transfer codings")
	}
	if authority != nil {
		h.Host = authority
	}
	if h.codings == 1 {
		h.ContentLength = -1
	}
	if h.ContentLength == 0 {
		h.Expect = false
	}
	return nil
}
