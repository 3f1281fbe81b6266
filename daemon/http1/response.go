package http1

import (
	"net/http"
	"strconv"
)

// Response is the head of a response. Header is a text of "name\nvalue\n" pairs that
// can be sent as it is; fields about the connection and Content-Length in it are not
// sent.
type Response struct {
	Status int
	Header []byte
	Minor  int    // of the request's version
	Date   string // the value of the Date field, if Header has none
	// Length is the value of Content-Length; -1: none.
	Length int64
	// Chunked says that a chunked body follows.
	Chunked bool
	// Close says that the connection ends with this response.
	Close bool
}

// AppendTo appends the head as it is sent.
func (r *Response) AppendTo(b []byte) []byte {
	b = appendStatus(b, r.Status)
	dated := false
	for rest := r.Header; len(rest) > 0; {
		var name, value []byte
		name, value, rest, _ = CutField(rest)
		if OfConnection(name) || string(name) == "content-length" {
			continue
		}
		if string(name) == "date" {
			dated = true
		}
		b = append(b, name...)
		b = append(b, ": "...)
		b = append(b, value...)
		b = append(b, "\r\n"...)
	}
	if !dated {
		b = append(b, "date: "...)
		b = append(b, r.Date...)
		b = append(b, "\r\n"...)
	}
	switch {
	case r.Chunked:
		b = append(b, "transfer-encoding: chunked\r\n"...)
	case r.Length >= 0:
		b = append(b, "content-length: "...)
		b = strconv.AppendInt(b, r.Length, 10)
		b = append(b, "\r\n"...)
	}
	switch {
	case r.Close:
		b = append(b, "connection: close\r\n"...)
	case r.Minor == 0:
		b = append(b, "connection: keep-alive\r\n"...)
	}
	return append(b, "\r\n"...)
}

func appendStatus(b []byte, status int) []byte {
	if status == http.StatusOK {
		return append(b, "HTTP/1.1 200 OK\r\n"...)
	}
	b = append(b, "HTTP/1.1 "...)
	b = strconv.AppendInt(b, int64(status), 10)
	b = append(b, ' ')
	b = append(b, http.StatusText(status)...)
	return append(b, "\r\n"...)
}

// OfConnection reports whether a field, by its name in lower case, is about the
// connection and not about the message: whoever answers has no say in it.
func OfConnection[T string | []byte](name T) bool {
	switch string(name) {
	case "connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade":
		return true
	}
	return false
}

// AppendChunk appends what goes before a chunk's data of n bytes; "\r\n" goes behind it.
func AppendChunk(b []byte, n int) []byte {
	b = strconv.AppendInt(b, int64(n), 16)
	return append(b, "\r\n"...)
}
