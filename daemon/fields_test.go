package daemon

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/nano-runtime/nano/daemon/http1"
)

func TestFields(t *testing.T) {
	f := Fields("a\n1\nb\n\na\n2\n")
	if f.Get("a") != "1" || f.Get("b") != "" || f.Get("c") != "" {
		t.Errorf("got %q, %q, %q", f.Get("a"), f.Get("b"), f.Get("c"))
	}
	var all []string
	for name, value := range f.All() {
		all = append(all, name+"="+value)
	}
	if want := []string{"a=1", "b=", "a=2"}; !slices.Equal(all, want) {
		t.Errorf("got %q, want %q", all, want)
	}
}

// Whatever passes for a header is sent as one, and ends where it should.
func FuzzResponseHeader(f *testing.F) {
	f.Add("content-type\ntext/html\nset-cookie\na=b\nset-cookie\nc\n", 200)
	f.Add("a\nb\r\n\nc\n", 999)
	f.Add("transfer-encoding\nchunked\nconnection\nkeep-alive\ncontent-length\n5\n", 404)
	f.Fuzz(func(t *testing.T, header string, status int) {
		if status < 200 || status > 999 || status == 204 || status == 304 || checkFields([]byte(header)) != nil {
			return
		}
		res := http1.Response{Status: status, Header: []byte(header), Minor: 1, Date: "now", Length: 4}
		raw := append(res.AppendTo(nil), "bodyrest"...)
		r := bufio.NewReader(bytes.NewReader(raw))
		got, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Fatalf("%v in %q", err, raw)
		}
		body, err := io.ReadAll(got.Body)
		if err != nil || string(body) != "body" || got.StatusCode != status {
			t.Fatalf("got %d %q, %v in %q", got.StatusCode, body, err, raw)
		}
		want := make(http.Header)
		for name, value := range Fields(header).All() {
			if !http1.OfConnection(name) && name != "content-length" {
				want.Add(name, strings.Trim(value, " \t"))
			}
		}
		for name, values := range want {
			if !slices.Equal(got.Header[http.CanonicalHeaderKey(name)], values) {
				t.Errorf("%s: got %q, want %q", name, got.Header[name], values)
			}
		}
	})
}
