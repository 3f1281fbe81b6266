package http1

import (
	"bufio"
	"bytes"
	"net/http"
	"strings"
	"testing"
)

var limits = Limits{Head: 32 << 10, Target: 16 << 10, Fields: 200}

// parse scans and parses a whole head.
func parse(buf []byte) (*Head, *Error) {
	n, done, err := Scan(buf, 0, limits)
	if err != nil {
		return nil, err
	}
	if !done {
		return nil, nil
	}
	h := new(Head)
	if err := h.Parse(buf[:n], limits); err != nil {
		return nil, err
	}
	return h, nil
}

func TestParse(t *testing.T) {
	h, err := parse([]byte("POST /a?b HTTP/1.1\r\nHOST: x:80\r\nContent-Length: 12\r\nConnection: a ,\tCLOSE\r\nExpect: 100-Continue\r\nX: \xff\r\n\r\nbody"))
	if err != nil {
		t.Fatal(err)
	}
	if string(h.Method) != "POST" || string(h.Target) != "/a?b" || string(h.Host) != "x:80" || h.Minor != 1 || h.ContentLength != 12 || !h.Close || !h.Expect {
		t.Errorf("got %+v", h)
	}
	var fields []string
	for _, f := range h.Fields {
		fields = append(fields, string(f.Name)+"="+string(f.Value))
	}
	if got := strings.Join(fields, " "); got != "host=x:80 content-length=12 connection=a ,\tCLOSE expect=100-Continue x=\xff" {
		t.Errorf("fields %q", got)
	}
}

func TestParseUsesRoomAgain(t *testing.T) {
	h := new(Head)
	const head = "GET / HTTP/1.1\r\nHost: a\r\nB: c\r\n\r\n"
	buf := []byte(head)
	if err := h.Parse(buf, limits); err != nil {
		t.Fatal(err)
	}
	if n := testing.AllocsPerRun(100, func() {
		copy(buf, head)
		if err := h.Parse(buf, limits); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// Whatever we take for a request is one to others as well, and the same one; and it
// doesn't matter in which pieces it comes.
func FuzzHead(f *testing.F) {
	for _, s := range []string{
		"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
		"POST http://b/c?d HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nA: b\r\nA: c\r\n\r\nhello",
		"POST /%zz HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n",
		"OPTIONS * HTTP/1.1\r\nHost: [::1]:80\r\nTransfer-Encoding: chunked\r\nConnection: keep-alive\r\n\r\n",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		original := bytes.Clone(data)
		h, bad := parse(data)
		var from int
		for i := range len(original) + 1 {
			next, done, bad2 := Scan(original[:i], from, limits)
			if bad2 != nil {
				if bad == nil {
					t.Fatalf("in pieces it is refused: %v", bad2)
				}
				break
			}
			if done {
				if h != nil && next != h.Size {
					t.Fatalf("in pieces it has %d bytes, not %d", next, h.Size)
				}
				break
			}
			from = next
		}
		if h == nil {
			return
		}
		r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(original)))
		if err != nil {
			// net/http is strict about two things that framing doesn't hang on.
			if s := err.Error(); strings.Contains(s, "invalid URL escape") || strings.Contains(s, "invalid port") || strings.Contains(s, "invalid character") || strings.Contains(s, "missing ']'") || strings.Contains(s, "invalid host") || strings.Contains(s, "first path segment") || strings.Contains(s, "unexpected '['") || strings.Contains(s, "invalid IP") {
				return
			}
			t.Fatalf("net/http refuses it: %v", err)
		}
		if r.Method != string(h.Method) || r.ContentLength != h.ContentLength || r.ProtoMinor != h.Minor {
			t.Errorf("net/http has %s, %d bytes, minor %d; we have %s, %d, %d", r.Method, r.ContentLength, r.ProtoMinor, h.Method, h.ContentLength, h.Minor)
		}
		if (len(r.TransferEncoding) == 1) != (h.ContentLength < 0) {
			t.Errorf("net/http has the coding %v, we have a length of %d", r.TransferEncoding, h.ContentLength)
		}
		if !strings.EqualFold(r.Host, string(h.Host)) {
			t.Errorf("net/http has the host %q, we have %q", r.Host, h.Host)
		}
		n := 0
		for _, values := range r.Header {
			n += len(values)
		}
		for _, f := range h.Fields {
			if name := string(f.Name); name == "host" || name == "transfer-encoding" {
				n++
			} else if values := r.Header.Values(name); len(values) == 0 {
				t.Errorf("net/http has no field %q", name)
			}
		}
		if n != len(h.Fields) && r.Header.Get("Pragma") == "" {
			t.Errorf("net/http has %d fields, we have %d", n, len(h.Fields))
		}
	})
}
