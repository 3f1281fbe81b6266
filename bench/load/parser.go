package load

import (
	"bytes"
	"errors"
	"fmt"
)

// What a parser reads next.
type parserState int

const (
	readHead       parserState = iota
	readSized                  // left bytes of body
	readUntilClose             // a body that ends with the connection
	readChunkSize
	readChunk // left bytes of a chunk and its line end
	readTrailer
)

const maxHead = 64 << 10

// parser reads HTTP/1.1 responses to GET and POST, one after another, and keeps
// of each its status, the length of its body and whether the connection stays.
type parser struct {
	state  parserState
	left   int64
	line   []byte // what has arrived of a head or a line
	status int
	body   int64
	closes bool
}

func (p *parser) reset() {
	*p = parser{line: p.line[:0]}
}

// feed reads from b and returns how much of it belongs to the current response,
// and whether that ends here.
func (p *parser) feed(b []byte) (n int, done bool, err error) {
	for n < len(b) {
		rest := b[n:]
		switch p.state {
		case readHead:
			used, head, err := p.until(rest, "\r\n\r\n")
			n += used
			if err != nil || head == nil {
				return n, false, err
			}
			if err := p.parseHead(head); err != nil {
				return n, false, err
			}
			p.line = p.line[:0]
			if p.state == readSized && p.left == 0 {
				return n, true, nil
			}
		case readSized, readUntilClose, readChunk:
			take := int64(len(rest))
			if p.state != readUntilClose {
				take = min(take, p.left)
				p.left -= take
			}
			n += int(take)
			if p.state != readChunk {
				p.body += take
			}
			switch {
			case p.left > 0 || p.state == readUntilClose:
			case p.state == readSized:
				return n, true, nil
			default:
				p.state = readChunkSize
			}
		case readChunkSize:
			used, line, err := p.until(rest, "\r\n")
			n += used
			if err != nil || line == nil {
				return n, false, err
			}
			size, err := hexNumber(line[:len(line)-2])
			if err != nil {
				return n, false, err
			}
			p.line = p.line[:0]
			p.body += size
			p.state, p.left = readChunk, size+2
			if size == 0 {
				p.state = readTrailer
			}
		case readTrailer:
			used, line, err := p.until(rest, "\r\n")
			n += used
			if err != nil || line == nil {
				return n, false, err
			}
			empty := len(line) == 2
			p.line = p.line[:0]
			if empty {
				return n, true, nil
			}
		}
	}
	return n, false, nil
}

// until returns what ends with mark, once it has all arrived, and how much of b
// belongs to it. Its memory is b's or p.line's.
func (p *parser) until(b []byte, mark string) (used int, found []byte, err error) {
	if len(p.line) == 0 {
		if i := bytes.Index(b, []byte(mark)); i >= 0 {
			return i + len(mark), b[:i+len(mark)], nil
		}
		p.line = append(p.line, b...)
		return len(b), nil, p.tooLong()
	}
	before := len(p.line)
	p.line = append(p.line, b...)
	from := max(0, before-len(mark)+1)
	i := bytes.Index(p.line[from:], []byte(mark))
	if i < 0 {
		return len(b), nil, p.tooLong()
	}
	p.line = p.line[:from+i+len(mark)]
	return len(p.line) - before, p.line, nil
}

func (p *parser) tooLong() error {
	if len(p.line) > maxHead {
		return errors.New("the response's head does not end")
	}
	return nil
}

func (p *parser) parseHead(head []byte) error {
	if len(head) < 16 || !bytes.HasPrefix(head, []byte("HTTP/1.")) {
		return fmt.Errorf("not an HTTP/1 response: %.40q", head)
	}
	p.status = int(head[9]-'0')*100 + int(head[10]-'0')*10 + int(head[11]-'0')
	p.closes = head[7] == '0'
	p.state, p.left, p.body = readUntilClose, -1, 0
	chunked := false
	_, lines, _ := bytes.Cut(head, []byte("\r\n"))
	for len(lines) > 2 {
		var line []byte
		line, lines, _ = bytes.Cut(lines, []byte("\r\n"))
		// All others cost one comparison.
		if c := line[0] | 0x20; c != 'c' && c != 't' {
			continue
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		value = bytes.TrimSpace(value)
		switch {
		case len(name) == len("content-length") && bytes.EqualFold(name, []byte("content-length")):
			p.state, p.left = readSized, 0
			for _, c := range value {
				if c < '0' || c > '9' || p.left > 1<<40 {
					return fmt.Errorf("bad content-length: %.40q", value)
				}
				p.left = p.left*10 + int64(c-'0')
			}
		case len(name) == len("transfer-encoding") && bytes.EqualFold(name, []byte("transfer-encoding")):
			chunked = bytes.EqualFold(value, []byte("chunked"))
		case len(name) == len("connection") && bytes.EqualFold(name, []byte("connection")):
			p.closes = p.closes || bytes.EqualFold(value, []byte("close"))
		}
	}
	switch {
	case p.status == 204 || p.status == 304:
		p.state, p.left = readSized, 0
	case chunked:
		p.state = readChunkSize
	case p.state == readUntilClose:
		p.closes = true
	}
	return nil
}

func hexNumber(b []byte) (int64, error) {
	b, _, _ = bytes.Cut(b, []byte(";"))
	var n int64
	for _, c := range b {
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			c = c | 0x20 - 'a' + 10
		default:
			return 0, fmt.Errorf("bad chunk size: %.20q", b)
		}
		if n = n<<4 | int64(c); n > 1<<40 {
			return 0, fmt.Errorf("bad chunk size: %.20q", b)
		}
	}
	if len(b) == 0 {
		return 0, errors.New("empty chunk size")
	}
	return n, nil
}
