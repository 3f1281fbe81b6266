package daemon

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// talk sends bytes as they are and returns all that comes back until the server closes.
func talk(t *testing.T, addr net.Addr, request string) string {
	t.Helper()
	nc := dial(t, addr)
	if _, err := io.WriteString(nc, request); err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(nc)
	if err != nil {
		t.Fatalf("after %q: %v", answer, err)
	}
	return string(answer)
}

func dial(t *testing.T, addr net.Addr) net.Conn {
	t.Helper()
	nc, err := net.Dial(addr.Network(), addr.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = nc.Close() })
	if err := nc.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	return nc
}

// statuses are those of the responses in an answer.
func statuses(t *testing.T, answer string) (list []int) {
	t.Helper()
	r := bufio.NewReader(strings.NewReader(answer))
	for {
		if _, err := r.Peek(1); err != nil {
			return list
		}
		res, err := http.ReadResponse(r, &http.Request{Method: "GET"})
		if err != nil {
			t.Fatalf("%v in %q", err, answer)
		}
		if _, err := io.Copy(io.Discard, res.Body); err != nil {
			t.Fatalf("%v in %q", err, answer)
		}
		list = append(list, res.StatusCode)
	}
}

// Each of these is one message that some servers and proxies read differently, or an
// abuse; what follows it on the connection must never be taken for a request.
func TestRefused(t *testing.T) {
	_, addr := serveFront(t, FrontOptions{Handler: echo})
	const smuggled = "GET /smuggled HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
	long := func(n int) string { return strings.Repeat("a", n) }
	tests := []struct {
		name    string
		request string
		want    int
	}{
		{"both lengths", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
		{"both lengths the other way round", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n", 400},
		{"two lengths", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", 400},
		{"the same length twice", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na", 400},
		{"list of lengths", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1, 1\r\n\r\na", 400},
		{"signed length", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\na", 400},
		{"negative length", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\na", 400},
		{"hexadecimal length", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0x1\r\n\r\na", 400},
		{"empty length", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length:\r\n\r\n", 400},
		{"huge length", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\n", 400},
		{"length with a blank inside", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1 1\r\n\r\n", 400},
		{"unknown coding", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n", 501},
		{"coding before chunked", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501},
		{"identity", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity\r\n\r\n", 501},
		{"chunked twice", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
		{"disguised coding", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n", 400},
		{"coding with a blank before the colon", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n", 400},
		{"chunked in HTTP/1.0", "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
		{"chunk size is not a number", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n\r\n", 400},
		{"chunk size is negative", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n\r\n", 400},
		{"chunk size has 0x", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0x1\r\na\r\n0\r\n\r\n", 400},
		{"chunk size overflows", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n10000000000000001\r\na\r\n0\r\n\r\n", 400},
		{"chunk size ends in a bare LF", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\na\r\n0\r\n\r\n", 400},
		{"chunk longer than its size", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n", 400},
		{"chunk ends in a bare LF", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\n0\r\n\r\n", 400},
		{"chunk extension with a bare CR", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1;a\rb\r\na\r\n0\r\n\r\n", 400},
		{"endless chunk extension", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1;" + long(5000) + "\r\na\r\n0\r\n\r\n", 400},
		{"tiny chunks with long extensions", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + strings.Repeat("1;"+long(200)+"\r\na\r\n", 200), 400},
		{"length in the trailer", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nContent-Length: 5\r\n\r\n", 400},
		{"folded trailer", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nA: b\r\n c\r\n\r\n", 400},
		{"huge trailer", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n" + strings.Repeat("A: "+long(1000)+"\r\n", 20) + "\r\n", 431},
		{"folded field", "GET / HTTP/1.1\r\nHost: a\r\nA: b\r\n c\r\n\r\n", 400},
		{"blank before the first field", "GET / HTTP/1.1\r\n Host: a\r\n\r\n", 400},
		{"blank before the colon", "GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400},
		{"no colon", "GET / HTTP/1.1\r\nHost: a\r\nabc\r\n\r\n", 400},
		{"no name", "GET / HTTP/1.1\r\nHost: a\r\n: b\r\n\r\n", 400},
		{"name with a blank", "GET / HTTP/1.1\r\nHost: a\r\nA B: c\r\n\r\n", 400},
		{"name past ASCII", "GET / HTTP/1.1\r\nHost: a\r\n\xc3\xa4: c\r\n\r\n", 400},
		{"NUL in a name", "GET / HTTP/1.1\r\nHost: a\r\nA\x00B: c\r\n\r\n", 400},
		{"NUL in a value", "GET / HTTP/1.1\r\nHost: a\r\nA: b\x00c\r\n\r\n", 400},
		{"bare CR in a value", "GET / HTTP/1.1\r\nHost: a\r\nA: b\rc\r\n\r\n", 400},
		{"bare CR before a field", "GET / HTTP/1.1\r\nHost: a\r\n\rX: y\r\n\r\n", 400},
		{"bare LF after the request line", "GET / HTTP/1.1\nHost: a\r\n\r\n", 400},
		{"bare LF after a field", "GET / HTTP/1.1\r\nHost: a\nX: y\r\n\r\n", 400},
		{"bare LFs only", "GET / HTTP/1.1\nHost: a\n\n", 400},
		{"bare LF at the end", "GET / HTTP/1.1\r\nHost: a\r\n\n", 400},
		{"two empty lines first", "\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
		{"TLS", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400},
		{"no host", "GET / HTTP/1.1\r\n\r\n", 400},
		{"two hosts", "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400},
		{"empty host", "GET / HTTP/1.1\r\nHost:\r\n\r\n", 400},
		{"host with a path", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400},
		{"host with a user", "GET / HTTP/1.1\r\nHost: a@b\r\n\r\n", 400},
		{"host with a blank", "GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400},
		{"no version", "GET /\r\nHost: a\r\n\r\n", 400},
		{"two blanks", "GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
		{"blank in the target", "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", 400},
		{"tab in the request line", "GET\t/\tHTTP/1.1\r\nHost: a\r\n\r\n", 400},
		{"fragment", "GET /#a HTTP/1.1\r\nHost: a\r\n\r\n", 400},
		{"control character in the target", "GET /\x01 HTTP/1.1\r\nHost: a\r\n\r\n", 400},
		{"relative target", "GET a HTTP/1.1\r\nHost: a\r\n\r\n", 400},
		{"star for GET", "GET * HTTP/1.1\r\nHost: a\r\n\r\n", 400},
		{"other scheme", "GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n", 400},
		{"user in the target", "GET http://u@a/ HTTP/1.1\r\nHost: a\r\n\r\n", 400},
		{"target without a host", "GET http:///x HTTP/1.1\r\nHost: a\r\n\r\n", 400},
		{"malformed method", "G@T / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
		{"CONNECT", "CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n", 405},
		{"TRACE", "TRACE / HTTP/1.1\r\nHost: a\r\n\r\n", 405},
		{"lower-case version", "GET / http/1.1\r\nHost: a\r\n\r\n", 400},
		{"HTTP/1.2", "GET / HTTP/1.2\r\nHost: a\r\n\r\n", 505},
		{"HTTP/2.0 without the preface", "GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505},
		{"broken preface", "PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n", 505},
		{"unknown expectation", "POST / HTTP/1.1\r\nHost: a\r\nExpect: 200-ok\r\nContent-Length: 1\r\n\r\na", 417},
		{"PROXY header from a stranger", "PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
		{"long target", "GET /" + long(17<<10) + " HTTP/1.1\r\nHost: a\r\n\r\n", 414},
		{"endless request line", "GET /" + long(40<<10), 414},
		{"endless method", long(40 << 10), 414},
		{"large field", "GET / HTTP/1.1\r\nHost: a\r\nA: " + long(33<<10) + "\r\n\r\n", 431},
		{"endless field", "GET / HTTP/1.1\r\nHost: a\r\nA: " + long(64<<10), 431},
		{"large head", "GET / HTTP/1.1\r\nHost: a\r\n" + strings.Repeat("A: "+long(1000)+"\r\n", 40) + "\r\n", 431},
		{"many fields", "GET / HTTP/1.1\r\nHost: a\r\n" + strings.Repeat("A: b\r\n", 300) + "\r\n", 431},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			answer := talk(t, addr, tt.request+smuggled)
			got := statuses(t, answer)
			if len(got) != 1 || got[0] != tt.want {
				t.Errorf("got %d, want only %d: %q", got, tt.want, answer)
			}
			if !strings.Contains(answer, "connection: close\r\n") {
				t.Errorf("the answer doesn't say that it is the last: %q", answer)
			}
		})
	}
}

// What is unusual but fine.
func TestAccepted(t *testing.T) {
	_, addr := serveFront(t, FrontOptions{Handler: echo})
	const last = "Connection: close\r\n\r\n"
	tests := []struct {
		name    string
		request string
		want    string // in the echo
	}{
		{"plain", "GET /a?b HTTP/1.1\r\nHost: x\r\n" + last, "HTTP/1.1 GET http://x/a?b\nhost\nx\n"},
		{"port", "GET / HTTP/1.1\r\nHost: x:81\r\n" + last, "GET http://x:81/\n"},
		{"empty line first", "\r\nGET / HTTP/1.1\r\nHost: x\r\n" + last, "GET http://x/\n"},
		{"HTTP/1.0 without a host", "GET / HTTP/1.0\r\n\r\n", "HTTP/1.0 GET http://127.0.0.1:"},
		{"whole URL", "GET HTTP://y:8/p HTTP/1.1\r\nHost: x\r\n" + last, "GET http://y:8/p\nhost\ny:8\n"},
		{"whole URL without a path", "GET http://y?q HTTP/1.1\r\nHost: x\r\n" + last, "GET http://y/?q\nhost\ny\n"},
		{"UTF-8 in the target", "GET /\xc3\xa4 HTTP/1.1\r\nHost: x\r\n" + last, "GET http://x/%C3%A4\n"},
		{"bytes past ASCII in a value", "GET / HTTP/1.1\r\nHost: x\r\nA: \xe4\r\n" + last, "\na\n\xe4\n"},
		{"repeated fields", "GET / HTTP/1.1\r\nHost: x\r\nA: 1\r\na: 2\r\n" + last, "\na\n1\na\n2\n"},
		{"empty value", "GET / HTTP/1.1\r\nHost: x\r\nA:\r\n" + last, "\na\n\n"},
		{"blanks around a value", "GET / HTTP/1.1\r\nHost: x\r\nA: \t b  \t\r\n" + last, "\na\nb\n"},
		{"own method", "PROPFIND / HTTP/1.1\r\nHost: x\r\n" + last, "PROPFIND http://x/"},
		{"length", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n" + last + "abc", "\nabc"},
		{"length of zero", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n" + last, "content-length\n0\n"},
		{"chunks", "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: Chunked\r\n" + last + "1\r\na\r\n0a;x=\"y\"\r\n0123456789\r\n000\r\nT: u\r\n\r\n", "\na0123456789"},
		{"stranger's claims", "GET / HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 1.2.3.4\r\nX-Forwarded-Host: evil\r\nX-Forwarded-Foo: 1\r\nX-Real-IP: 1.2.3.4\r\nForwarded: for=1.2.3.4\r\nX-Request-ID: me\r\nZ: 1\r\n" + last, "http://x/\nhost\nx\nz\n1\nconnection\nclose\nx-forwarded-for\n127.0.0.1\nx-forwarded-proto\nhttp\nx-request-id\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			answer := talk(t, addr, tt.request)
			if got := statuses(t, answer); len(got) != 1 || got[0] != 200 || !strings.Contains(answer, tt.want) {
				t.Errorf("got %q, want 200 with %q", answer, tt.want)
			}
		})
	}
}

func TestPipelining(t *testing.T) {
	_, addr := serveFront(t, FrontOptions{Handler: echo})
	var b strings.Builder
	for i := range 50 {
		fmt.Fprintf(&b, "POST /%d HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello", i)
	}
	b.WriteString("OPTIONS * HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
	got := statuses(t, talk(t, addr, b.String()))
	if len(got) != 51 || got[0] != 200 || got[49] != 200 || got[50] != 204 {
		t.Errorf("got %v", got)
	}
}
