package daemon

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"time"
)

// serveFront runs a front end on a port of its own until the test ends.
func serveFront(t *testing.T, opts FrontOptions) (*Front, net.Addr) {
	t.Helper()
	return serveTuned(t, opts, func(*Front) {})
}

// serveTuned is serveFront with other limits.
func serveTuned(t *testing.T, opts FrontOptions, tune func(*Front)) (*Front, net.Addr) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f := NewFront(opts)
	tune(f)
	done := make(chan error, 1)
	go func() { done <- f.Serve(ln) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := f.Drain(ctx, 0); err != nil {
			t.Errorf("drain: %v", err)
		}
		if err := <-done; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	return f, ln.Addr()
}

func echo(x *Exchange) {
	body, err := io.ReadAll(x.Body)
	if err != nil {
		return // the front end knows what to say
	}
	text := fmt.Sprintf("%s %s %s\n%s%s", x.Proto, x.Method, x.URL(), x.Header, body)
	_ = x.Respond(200, []byte("content-type\ntext/plain\nset-cookie\na=1\nset-cookie\nb=2\n"), []byte(text))
}

func TestBothProtocols(t *testing.T) {
	_, addr := serveFront(t, FrontOptions{Handler: echo})
	for _, major := range []int{1, 2} {
		t.Run(fmt.Sprint(major), func(t *testing.T) {
			var p http.Protocols
			p.SetHTTP1(major == 1)
			p.SetUnencryptedHTTP2(major == 2)
			client := &http.Client{Transport: &http.Transport{Protocols: &p}}
			defer client.CloseIdleConnections()
			res, err := client.Get("http://" + addr.String() + "/a?b=c")
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			body, err := io.ReadAll(res.Body)
			if err != nil {
				t.Fatal(err)
			}
			if res.ProtoMajor != major || res.StatusCode != 200 || len(res.Header["Set-Cookie"]) != 2 {
				t.Errorf("got %s %s %v %s", res.Proto, res.Status, res.Header, body)
			}
			want := "GET http://" + addr.String() + "/a?b=c\n"
			if got := string(body); len(got) < 50 || got[9:9+len(want)] != want {
				t.Errorf("got %q, want %q in it", got, want)
			}
		})
	}
}
