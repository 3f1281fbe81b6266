package load

import (
	"strings"
	"testing"
)

func TestParser(t *testing.T) {
	for _, test := range []struct {
		name, input string
		status      int
		body        int64
		closes      bool
		left        string // of the input, after the response
	}{
		{"sized", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", 200, 5, false, ""},
		{"sized, another follows", "HTTP/1.1 201 Created\r\ncontent-length:2\r\n\r\nokHTTP/1.1", 201, 2, false, "HTTP/1.1"},
		{"no body", "HTTP/1.1 204 No Content\r\n\r\n", 204, 0, false, ""},
		{"empty body", "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", 404, 0, false, ""},
		{"closing", "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx", 200, 1, true, ""},
		{"HTTP/1.0", "HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx", 200, 1, true, ""},
		{"chunked", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n1a;x=y\r\n" + strings.Repeat("z", 26) + "\r\n0\r\n\r\n", 200, 31, false, ""},
		{"chunked with trailer", "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\nh\r\n0\r\nSum: 1\r\n\r\nrest", 200, 1, false, "rest"},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, step := range []int{len(test.input), 1, 2, 3, 7, 20} {
				var p parser
				for range 2 { // a parser is used again
					p.reset()
					at, done := 0, false
					for !done && at < len(test.input) {
						n, d, err := p.feed([]byte(test.input[at:min(at+step, len(test.input))]))
						if err != nil {
							t.Fatalf("step %d: %v", step, err)
						}
						at, done = at+n, d
					}
					if !done {
						t.Fatalf("step %d: not done at the end", step)
					}
					if p.status != test.status || p.body != test.body || p.closes != test.closes || test.input[at:] != test.left {
						t.Errorf("step %d: status %d, body %d, closes %v, left %q; want %d, %d, %v, %q",
							step, p.status, p.body, p.closes, test.input[at:], test.status, test.body, test.closes, test.left)
					}
				}
			}
		})
	}
}

func TestParserRefuses(t *testing.T) {
	for _, input := range []string{
		"SSH-2.0-OpenSSH_9.2\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\r\n",
		strings.Repeat("x", maxHead+1),
	} {
		var p parser
		if _, _, err := p.feed([]byte(input)); err == nil {
			t.Errorf("no error for %.60q", input)
		}
	}
}

func FuzzParser(f *testing.F) {
	f.Add([]byte("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"), 3)
	f.Add([]byte("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"), 1)
	f.Fuzz(func(t *testing.T, input []byte, step int) {
		if step < 1 {
			return
		}
		whole, parts := new(parser), new(parser)
		n, done, err := whole.feed(input)
		at, partsDone := 0, false
		var partsErr error
		for at < len(input) && !partsDone && partsErr == nil {
			var used int
			used, partsDone, partsErr = parts.feed(input[at:min(at+step, len(input))])
			at += used
		}
		if (err == nil) != (partsErr == nil) || done != partsDone {
			t.Fatalf("in one piece: done %v, %v; in pieces of %d: done %v, %v", done, err, step, partsDone, partsErr)
		}
		if done && (n != at || whole.status != parts.status || whole.body != parts.body) {
			t.Fatalf("in one piece: %d bytes, %+v; in pieces: %d bytes, %+v", n, whole, at, parts)
		}
	})
}
