package webapi

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSplitURL(t *testing.T) {
	tests := []struct{ raw, host, target string }{
		{"http://a.example/", "a.example", "/"},
		{"http://a.example", "a.example", "/"},
		{"https://a.example:8443/x?y=z#f", "a.example:8443", "/x?y=z"},
		{"http://[::1]:80/x", "[::1]:80", "/x"},
		{"http://a/%zz|'\"%", "a", "/%zz|'\"%"},
		{"http://a/x?", "a", "/x?"},
		{"http://a?x", "a", "/?x"},
		{"http://a/x?y?z#?", "a", "/x?y?z"},
		{"http://a//x%2fy", "a", "//x%2fy"},
		{"http://a///", "a", "///"},
		{"http://a/http://b/", "a", "/http://b/"},
	}
	for _, test := range tests {
		u, err := splitURL(test.raw)
		if err != nil {
			t.Errorf("splitURL(%q): %v", test.raw, err)
			continue
		}
		if u.Host != test.host || u.RequestURI() != test.target {
			t.Errorf("splitURL(%q) is %q, %q; want %q, %q", test.raw, u.Host, u.RequestURI(), test.host, test.target)
		}
	}
	for _, raw := range []string{"http://a/x y", "http://a/?x\u00e9", "", "a", "file:///etc/passwd", "http:///x", "http://", "http://u@a/", "http://u:p@a/", "unix://x/"} {
		if u, err := splitURL(raw); err == nil {
			t.Errorf("splitURL(%q) is %+v", raw, u)
		}
	}
}

func FuzzSplitURL(f *testing.F) {
	f.Add("http://a.example/x?y#z")
	f.Add("https://[::1]:1//a")
	f.Fuzz(func(t *testing.T, raw string) {
		u, err := splitURL(raw)
		if err != nil {
			return
		}
		if u.Scheme != "http" && u.Scheme != "https" {
			t.Errorf("%q has the scheme %q", raw, u.Scheme)
		}
		if target := u.RequestURI(); target[0] != '/' {
			t.Errorf("%q asks for %q", raw, target)
		}
	})
}

func TestReadHeader(t *testing.T) {
	header := make(http.Header)
	length := readHeader(header, "x-a\n1\nx-a\n\nconnection\nclose\ncontent-length\n12\nhost\nb\ncookie\n\xe9\n")
	want := http.Header{
		"X-A": {"1", ""}, "Cookie": {"\xe9"},
		"Accept": {"*/*"}, "User-Agent": {"nano"}, "Accept-Encoding": {"gzip, deflate, br"},
	}
	if diff := cmp.Diff(want, header); diff != "" {
		t.Error(diff)
	}
	if length != 12 {
		t.Errorf("the length is %d", length)
	}
	if length := readHeader(make(http.Header), "content-length\n-1\n"); length != -1 {
		t.Errorf("a negative length is %d", length)
	}
}

// The target goes out as it was written over HTTP/2 too.
func TestHTTP2(t *testing.T) {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s %s", r.Proto, r.RequestURI)
	}))
	server.EnableHTTP2 = true
	server.StartTLS()
	defer server.Close()
	f := NewFetcher(anywhere)
	defer f.Close()
	f.transport.rest.TLSClientConfig = server.Client().Transport.(*http.Transport).TLSClientConfig
	for _, target := range []string{"/", "/%41|'x?y=|", "//a//b?"} {
		r, err := newRequest(context.Background(), "GET", server.URL+target, "", nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		response, err := f.transport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(response.Body)
		response.Body.Close()
		if got, want := string(body), "HTTP/2.0 "+target; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
