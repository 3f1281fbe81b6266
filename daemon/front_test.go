package daemon

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nano-runtime/nano/internal/await"
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
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
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

func TestAccessLog(t *testing.T) {
	requests := []struct {
		target string
		status int
	}{{"/a?secret=1", 200}, {"/b", 404}, {"/c", 503}, {"/d", 200}}
	tests := []struct {
		name  string
		every int
		want  []string // paths
	}{
		{"all", 0, []string{"/a", "/b", "/c", "/d"}},
		{"every second", 2, []string{"/b", "/c"}}, // and every failure
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var out await.Log
			_, addr := serveFront(t, FrontOptions{
				Access:      slog.New(slog.NewJSONHandler(&out, nil)),
				AccessEvery: tt.every,
				Handler: func(x *Exchange) {
					x.App = "blog"
					for _, r := range requests {
						if x.Target == r.target {
							_ = x.Respond(r.status, nil, []byte("hello"))
						}
					}
				},
			})
			var b strings.Builder
			for i, r := range requests {
				fmt.Fprintf(&b, "GET %s HTTP/1.1\r\nHost: a\r\n", r.target)
				if i == len(requests)-1 {
					b.WriteString("Connection: close\r\n")
				}
				b.WriteString("\r\n")
			}
			talk(t, addr, b.String())
			await.That(t, "a line for each request", func() bool { return strings.Count(out.String(), "\n") >= len(tt.want) })
			var paths []string
			for line := range strings.Lines(out.String()) {
				var got struct {
					Level, Msg, App, Method, Path, Client string
					RequestID                             string `json:"request_id"`
					Status                                int
					Bytes, Duration                       int64
				}
				if err := json.Unmarshal([]byte(line), &got); err != nil {
					t.Fatal(err)
				}
				if got.App != "blog" || got.Method != "GET" || got.Bytes != 5 || got.Duration <= 0 || len(got.RequestID) != 13 || got.Client != "127.0.0.1" || got.Msg != "request" {
					t.Errorf("got %s", line)
				}
				paths = append(paths, got.Path)
			}
			if !slices.Equal(paths, tt.want) {
				t.Errorf("got %q, want %q", paths, tt.want)
			}
		})
	}
}

func TestProbe(t *testing.T) {
	f, _ := serveFront(t, FrontOptions{Handler: func(*Exchange) { t.Error("the probe is the front end's own") }})
	if err := f.Probe(t.Context()); err != nil {
		t.Error(err)
	}
	f.mu.Lock() // a standstill
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- probeAll(ctx, []Probe{{"front end", f.Probe}}, time.Minute) }()
	if err := <-done; err == nil {
		t.Error("it succeeds at a standstill")
	}
	f.mu.Unlock()
	await.That(t, "the end of the connections", func() bool { return f.Stats().Connections == 0 })
}

// Whatever comes in, what goes out is well-formed responses.
func FuzzConnection(f *testing.F) {
	f.Add([]byte("GET / HTTP/1.1\r\nHost: a\r\n\r\nPOST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"))
	f.Add([]byte("POST / HTTP/1.0\r\nConnection: keep-alive\r\nContent-Length: 3\r\n\r\nabcGET"))
	f.Add([]byte("OPTIONS * HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nab"))
	front := NewFront(FrontOptions{Handler: func(x *Exchange) {
		if x.Method == http.MethodPut {
			_ = x.Start(200, nil)
			_, _ = io.Copy(x, x.Body)
			return
		}
		echo(x)
	}})
	if err := front.start(); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, input []byte) {
		near, far, err := socketPair()
		if err != nil {
			t.Fatal(err)
		}
		defer near.Close()
		_ = near.SetDeadline(time.Now().Add(time.Minute))
		front.accept(far, netip.Addr{})
		go func() {
			_, _ = near.Write(input)
			_ = near.(*net.UnixConn).CloseWrite()
		}()
		output, err := io.ReadAll(near)
		if err != nil && !errors.Is(err, syscall.ECONNRESET) {
			t.Fatal(err)
		}
		r := bufio.NewReader(bytes.NewReader(output))
		for range 1000 {
			if _, err := r.Peek(1); err != nil {
				break
			}
			res, err := http.ReadResponse(r, nil)
			if err != nil {
				t.Fatalf("%v in %q", err, output)
			}
			if _, err := io.Copy(io.Discard, res.Body); err != nil && !strings.Contains(string(input), "HEAD") && !strings.Contains(string(input), "PUT") {
				t.Fatalf("%v in %q", err, output)
			}
			if strings.Contains(string(input), "HEAD") {
				break // what has a body depends on the request
			}
		}
	})
}
