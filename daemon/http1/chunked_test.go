package http1

import (
	"bytes"
	"io"
	"net/http/httputil"
	"strings"
	"testing"
)

// decode decodes a body that comes in pieces of a size, into pieces of another.
func decode(body []byte, in, out int) (data []byte, used int, done bool, err *Error) {
	var d Chunked
	buf := make([]byte, out)
	for {
		piece := body[used:min(len(body), used+in)]
		n, k, done, err := d.Decode(buf, piece)
		data = append(data, buf[:n]...)
		used += k
		if done || err != nil || len(piece) == 0 && n == 0 {
			return data, used, done, err
		}
	}
}

func TestChunked(t *testing.T) {
	body := "5\r\nhello\r\n00a;b=\"c\"\r\n0123456789\r\n1 ; x\r\n!\r\n0\r\nA: b\r\nC: d\r\n\r\n"
	for in := 1; in < len(body)+10; in++ {
		for out := 1; out < 20; out++ {
			data, used, done, err := decode([]byte(body+"GET /"), in, out)
			if string(data) != "hello0123456789!" || used != len(body) || !done || err != nil {
				t.Fatalf("pieces of %d and %d: got %q, %d bytes, %v, %v", in, out, data, used, done, err)
			}
		}
	}
}

func TestChunkedOverhead(t *testing.T) {
	// A byte a chunk is wasteful, but nothing else.
	fair := strings.Repeat("1\r\nx\r\n", 100_000) + "0\r\n\r\n"
	if data, _, done, err := decode([]byte(fair), 4096, 4096); len(data) != 100_000 || !done || err != nil {
		t.Errorf("got %d bytes, %v, %v", len(data), done, err)
	}
	unfair := strings.Repeat("1;"+strings.Repeat("x", 100)+"\r\nx\r\n", 1000) + "0\r\n\r\n"
	if data, _, _, err := decode([]byte(unfair), 4096, 4096); err == nil || len(data) > 500 {
		t.Errorf("got %d bytes, %v", len(data), err)
	}
}

// Whatever we take for a chunked body is the same one to others; and the size of the
// pieces doesn't matter.
func FuzzChunked(f *testing.F) {
	f.Add([]byte("5\r\nhello\r\n0\r\n\r\n"), 3, 2)
	f.Add([]byte("a;b=c\r\n0123456789\r\n0\r\nA: b\r\n\r\nGET"), 1, 100)
	f.Add([]byte("fffffffffffffff\r\n"), 1, 1)
	f.Fuzz(func(t *testing.T, body []byte, in, out int) {
		in, out = max(1, in%1000), max(1, out%1000)
		data, used, done, err := decode(bytes.Clone(body), len(body)+1, len(body)+1)
		data2, used2, done2, err2 := decode(bytes.Clone(body), in, out)
		if done != done2 || (err == nil) != (err2 == nil) || err == nil && (used != used2 || !bytes.Equal(data, data2)) {
			t.Errorf("whole: %q, %d, %v, %v; in pieces: %q, %d, %v, %v", data, used, done, err, data2, used2, done2, err2)
		}
		if !done {
			return
		}
		theirs, err3 := io.ReadAll(httputil.NewChunkedReader(bytes.NewReader(body)))
		if err3 != nil || !bytes.Equal(theirs, data) {
			t.Errorf("net/http has %q, %v; we have %q", theirs, err3, data)
		}
	})
}
