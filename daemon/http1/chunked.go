package http1

import (
	"bytes"
	"net/http"
)

// Bounds of what a chunked body has besides its data, in bytes.
const (
	maxChunkLine = 256     // a line with a chunk's size and extensions
	maxTrailer   = 8 << 10 // all trailer fields
	// maxOverhead is how much longer than fair a body's framing may be in all: a
	// chunk has 16 bytes of it free and another for each two bytes of data.
	maxOverhead = 16 << 10
)

// Chunked decodes a chunked body. Trailer fields are checked and dropped. The zero
// value is at the beginning of a body.
type Chunked struct {
	state    chunkState
	left     int64 // of the chunk's data
	overhead int64
	trailer  int
	line     []byte // the beginning of a line whose end has not come yet
}

type chunkState byte

const (
	chunkLine    chunkState = iota // at a chunk's size
	chunkData                      // in its data
	chunkEnd                       // at the CRLF behind it
	chunkTrailer                   // at a trailer field or the last line
	chunkDone
)

// Decode reads from in and writes data to out, as far as either goes. It says how much
// it has read and written, and done once the body is over; what is left of in then
// belongs to the next message.
func (d *Chunked) Decode(out, in []byte) (written, read int, done bool, err *Error) {
	for {
		switch d.state {
		case chunkData:
			if len(out) == written {
				return written, read, false, nil
			}
			n := copy(out[written:], in[read:read+int(min(d.left, int64(len(in)-read)))])
			written += n
			read += n
			d.left -= int64(n)
			if d.left > 0 {
				return written, read, false, nil
			}
			d.state = chunkEnd
		case chunkDone:
			return written, read, true, nil
		default:
			if rest := in[read:]; d.state == chunkEnd && len(d.line) == 0 && len(rest) > 0 && rest[0] != '\r' {
				return written, read, false, bad("a chunk is longer than its size")
			}
			line, n, ok, err := d.takeLine(in[read:])
			read += n
			if err != nil || !ok {
				return written, read, false, err
			}
			if err := d.onLine(line); err != nil {
				return written, read, false, err
			}
		}
	}
}

// takeLine takes a line without its CRLF from the beginning of in; ok is false when
// there is only a part of it, which is kept then.
func (d *Chunked) takeLine(in []byte) (line []byte, n int, ok bool, err *Error) {
	i := bytes.IndexByte(in, '\n')
	part := in
	if i >= 0 {
		part = in[:i+1]
	}
	limit := maxChunkLine
	if d.state == chunkTrailer {
		limit = maxTrailer
	}
	if len(d.line)+len(part) > limit {
		return nil, 0, false, bad("a line of the chunked body is too long")
	}
	if i < 0 {
		d.line = append(d.line, part...)
		return nil, len(part), false, nil
	}
	line = part
	if len(d.line) > 0 {
		d.line = append(d.line, part...)
		line = d.line
		d.line = d.line[:0]
	}
	if len(line) < 2 || line[len(line)-2] != '\r' {
		return nil, 0, false, bad("a line of the chunked body does not end in CRLF")
	}
	return line[:len(line)-2], len(part), true, nil
}

func (d *Chunked) onLine(line []byte) *Error {
	switch d.state {
	case chunkEnd:
		if len(line) != 0 {
			return bad("a chunk is longer than its size")
		}
		d.state = chunkLine
	case chunkLine:
		size, err := parseChunkLine(line)
		if err != nil {
			return err
		}
		d.overhead = max(0, d.overhead+int64(len(line))+4-16-size/2)
		if d.overhead > maxOverhead {
			return bad("the chunked body is mostly framing")
		}
		d.left = size
		d.state = chunkData
		if size == 0 {
			d.state = chunkTrailer
		}
	case chunkTrailer:
		if len(line) == 0 {
			d.state = chunkDone
			return nil
		}
		if d.trailer += len(line) + 2; d.trailer > maxTrailer {
			return &Error{http.StatusRequestHeaderFieldsTooLarge, "the trailer is too large"}
		}
		f, err := parseField(line)
		if err != nil {
			return err
		}
		switch string(f.Name) {
		case "content-length", "transfer-encoding", "host":
			return bad("the trailer has a field that frames the message")
		}
	}
	return nil
}

// parseChunkLine reads a chunk's size. Extensions are skipped; nobody knows any.
func parseChunkLine(line []byte) (size int64, err *Error) {
	i := 0
	for ; i < len(line); i++ {
		digit := unhex(line[i])
		if digit < 0 {
			break
		}
		if i == 15 {
			return 0, bad("a chunk's size is too large")
		}
		size = size<<4 | int64(digit)
	}
	if i == 0 {
		return 0, bad("a chunk's size is malformed")
	}
	ext := trim(line[i:])
	if len(ext) > 0 && ext[0] != ';' || !IsValue(ext) {
		return 0, bad("a chunk's extension is malformed")
	}
	return size, nil
}

func unhex(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'a' <= c && c <= 'f':
		return int(c-'a') + 10
	case 'A' <= c && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}
