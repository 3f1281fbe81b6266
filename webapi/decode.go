package webapi

import (
	"bufio"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"errors"
	"io"
	"net/http"
	"strings"

	"github.com/andybalholm/brotli"
)

// maxCodings bounds what a server can put on top of each other.
const maxCodings = 4

// decode is the response's body with its content codings undone, as browsers do; the headers that described the coded
// body go. A body in a coding that we don't know stays as it is.
func decode(r *http.Response) io.Reader {
	codings := contentCodings(r.Header)
	if len(codings) == 0 || len(codings) > maxCodings {
		return r.Body
	}
	var body io.Reader = r.Body
	for i := len(codings) - 1; i >= 0; i-- {
		open := decoders[codings[i]]
		if open == nil {
			return r.Body
		}
		body = &lazyDecoder{coded: body, open: open}
	}
	r.Header.Del("Content-Encoding")
	r.Header.Del("Content-Length")
	return body
}

func contentCodings(header http.Header) []string {
	var codings []string
	for _, value := range header["Content-Encoding"] {
		for coding := range strings.SplitSeq(value, ",") {
			if coding = strings.ToLower(strings.TrimSpace(coding)); coding != "" && coding != "identity" {
				codings = append(codings, coding)
			}
		}
	}
	return codings
}

var decoders = map[string]func(*bufio.Reader) (io.Reader, error){
	"gzip":    openGzip,
	"x-gzip":  openGzip,
	"deflate": openDeflate,
	"br":      func(r *bufio.Reader) (io.Reader, error) { return brotli.NewReader(r), nil },
}

func openGzip(r *bufio.Reader) (io.Reader, error) { return gzip.NewReader(r) }

// openDeflate reads zlib's format, which the standard means, and bare deflate, which some servers send.
func openDeflate(r *bufio.Reader) (io.Reader, error) {
	if head, err := r.Peek(2); err == nil && head[0]&0x0f == 8 && (int(head[0])<<8|int(head[1]))%31 == 0 {
		return zlib.NewReader(r)
	}
	return flate.NewReader(r), nil
}

// lazyDecoder looks at the body when it is first read: a decoder's constructor waits for the first bytes.
type lazyDecoder struct {
	coded   io.Reader
	open    func(*bufio.Reader) (io.Reader, error)
	decoded io.Reader
}

func (d *lazyDecoder) Read(p []byte) (int, error) {
	if d.decoded == nil {
		r := bufio.NewReader(d.coded)
		if _, err := r.Peek(1); err != nil {
			return 0, err // an empty body is fine in any coding
		}
		decoded, err := d.open(r)
		if err != nil {
			return 0, broken(err)
		}
		d.decoded = decoded
	}
	n, err := d.decoded.Read(p)
	if err != nil && err != io.EOF {
		err = broken(err)
	}
	return n, err
}

// broken tells a network's error from a decoder's, whose text means nothing to the app's author.
func broken(err error) error {
	var corrupt flate.CorruptInputError
	switch {
	case errors.As(err, &corrupt), errors.Is(err, gzip.ErrHeader), errors.Is(err, gzip.ErrChecksum),
		errors.Is(err, zlib.ErrHeader), errors.Is(err, zlib.ErrChecksum), strings.HasPrefix(err.Error(), "brotli"):
		return errors.New("it isn't what its Content-Encoding says")
	}
	return err
}
