package daemon

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/nano-runtime/nano/internal/await"
)

// serveOne has a handler answer one raw request and returns the raw answer, without
// its Date.
func serveOne(t *testing.T, request string, h Handler) string {
	t.Helper()
	_, addr := serveFront(t, FrontOptions{Handler: h})
	answer := talk(t, addr, request)
	if i := strings.Index(answer, "date: "); i >= 0 {
		j := strings.Index(answer[i:], "\r\n")
		answer = answer[:i] + answer[i+j+2:]
	}
	return answer
}

func TestResponses(t *testing.T) {
	const (
		get  = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
		head = "HEAD / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
		old  = "GET / HTTP/1.0\r\n\r\n"
	)
	respond := func(status int, header, body string) Handler {
		return func(x *Exchange) {
			if err := x.Respond(status, []byte(header), []byte(body)); err != nil {
				t.Error(err)
			}
		}
	}
	stream := func(status int, header string, parts ...string) Handler {
		return func(x *Exchange) {
			if err := x.Start(status, []byte(header)); err != nil {
				t.Error(err)
			}
			for _, p := range parts {
				if n, err := x.Write([]byte(p)); err != nil || n != len(p) {
					t.Errorf("wrote %d of %q: %v", n, p, err)
				}
			}
		}
	}
	tests := []struct {
		name    string
		request string
		handler Handler
		want    string
	}{
		{"whole", get, respond(200, "a\nb\na\nc\n", "hello"), "HTTP/1.1 200 OK\r\na: b\r\na: c\r\ncontent-length: 5\r\nconnection: close\r\n\r\nhello"},
		{"empty", get, respond(200, "", ""), "HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"},
		{"bytes past ASCII", get, respond(200, "a\n\xe4\n", "\x00\xff"), "HTTP/1.1 200 OK\r\na: \xe4\r\ncontent-length: 2\r\nconnection: close\r\n\r\n\x00\xff"},
		{"unknown status", get, respond(299, "", "x"), "HTTP/1.1 299 \r\ncontent-length: 1\r\nconnection: close\r\n\r\nx"},
		{"own date", get, respond(200, "date\nnever\n", ""), "HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"},
		{"fields of the connection", get, respond(200, "connection\nkeep-alive\ntransfer-encoding\nchunked\ncontent-length\n99\nupgrade\nx\nkeep-alive\n1\nx\ny\n", "hi"), "HTTP/1.1 200 OK\r\nx: y\r\ncontent-length: 2\r\nconnection: close\r\n\r\nhi"},
		{"no content", get, respond(204, "content-length\n5\n", "hello"), "HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n"},
		{"not modified", get, respond(304, "etag\n\"a\"\n", "hello"), "HTTP/1.1 304 Not Modified\r\netag: \"a\"\r\nconnection: close\r\n\r\n"},
		{"not modified with a length", get, respond(304, "content-length\n5\n", ""), "HTTP/1.1 304 Not Modified\r\ncontent-length: 5\r\nconnection: close\r\n\r\n"},
		{"HEAD with a body", head, respond(200, "", "hello"), "HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: close\r\n\r\n"},
		{"HEAD with a length", head, respond(200, "content-length\n7\n", ""), "HTTP/1.1 200 OK\r\ncontent-length: 7\r\nconnection: close\r\n\r\n"},
		{"HEAD with neither", head, respond(200, "", ""), "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n"},
		{"HTTP/1.0", old, respond(200, "", "hi"), "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nhi"},
		{"stream", get, stream(200, "a\nb\n", "hello", "", strings.Repeat("x", 20)), "HTTP/1.1 200 OK\r\na: b\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n5\r\nhello\r\n14\r\n" + strings.Repeat("x", 20) + "\r\n0\r\n\r\n"},
		{"empty stream", get, stream(200, ""), "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n0\r\n\r\n"},
		{"stream with a length", get, stream(200, "content-length\n5\n", "he", "llo"), "HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: close\r\n\r\nhello"},
		{"stream with a malformed length", get, stream(200, "content-length\nx\n", "hi"), "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n2\r\nhi\r\n0\r\n\r\n"},
		{"stream to HTTP/1.0", old, stream(200, "", "he", "llo"), "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nhello"},
		{"stream for HEAD", head, stream(200, "content-length\n5\n", "hello"), "HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: close\r\n\r\n"},
		{"stream without content", get, stream(204, "", "hello"), "HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n"},
		{"nothing", get, func(*Exchange) {}, "HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"},
		{"panic", get, func(*Exchange) { panic("oh") }, "HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"},
		{"abort before", get, func(x *Exchange) { x.Abort() }, ""},
		{"abort in the middle", get, func(x *Exchange) {
			_ = x.Start(200, nil)
			_, _ = x.Write([]byte("hel"))
			x.Abort()
		}, "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n3\r\nhel\r\n"},
		{"panic in the middle", get, func(x *Exchange) {
			_ = x.Start(200, nil)
			_, _ = x.Write([]byte("hel"))
			panic("oh")
		}, "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n3\r\nhel\r\n"},
		{"shorter than promised", get, stream(200, "content-length\n5\n", "hel"), "HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: close\r\n\r\nhel"},
		{"longer than promised", get, func(x *Exchange) {
			_ = x.Start(200, []byte("content-length\n2\n"))
			if _, err := x.Write([]byte("hel")); !errors.Is(err, errTooLong) {
				t.Errorf("got %v", err)
			}
			_, _ = x.Write([]byte("he"))
		}, "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nhe"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := serveOne(t, tt.request, tt.handler); got != tt.want {
				t.Errorf("got  %q\nwant %q", got, tt.want)
			}
		})
	}
}

func TestResponsesThatCannotBeSent(t *testing.T) {
	tests := []struct {
		name   string
		status int
		header string
	}{
		{"informational", 101, ""},
		{"no status", 0, ""},
		{"large status", 1000, ""},
		{"CR in a value", 200, "a\nb\rc\n"},
		{"NUL in a value", 200, "a\nb\x00\n"},
		{"colon in a name", 200, "a:\nb\n"},
		{"blank in a name", 200, "a b\nc\n"},
		{"no name", 200, "\nc\n"},
		{"upper case", 200, "Transfer-Encoding\nchunked\n"},
		{"no value", 200, "a\n"},
		{"no end", 200, "a\nb"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := serveOne(t, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", func(x *Exchange) {
				if x.Respond(tt.status, []byte(tt.header), nil) == nil || x.Start(tt.status, []byte(tt.header)) == nil {
					t.Error("it was taken")
				}
				if err := x.Respond(502, nil, []byte("no")); err != nil {
					t.Error(err)
				}
				if x.Respond(200, nil, nil) == nil {
					t.Error("a second response was taken")
				}
			})
			if want := "HTTP/1.1 502 Bad Gateway\r\ncontent-length: 2\r\nconnection: close\r\n\r\nno"; got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}

func TestKeepAlive(t *testing.T) {
	_, addr := serveFront(t, FrontOptions{Handler: func(x *Exchange) {
		if x.Target == "/read" {
			_, _ = io.Copy(io.Discard, x.Body)
		}
		_ = x.Respond(200, nil, []byte("hi"))
	}})
	const next = "GET /next HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
	body := func(n int) string { return fmt.Sprintf("Content-Length: %d\r\n\r\n%s", n, strings.Repeat("x", n)) }
	tests := []struct {
		name  string
		first string
		want  int // responses
	}{
		{"no body", "GET / HTTP/1.1\r\nHost: a\r\n\r\n", 2},
		{"body that was read", "POST /read HTTP/1.1\r\nHost: a\r\n" + body(100_000), 2},
		{"short body that was not", "POST / HTTP/1.1\r\nHost: a\r\n" + body(1000), 2},
		{"chunked body that was not", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", 2},
		{"long body that was not", "POST / HTTP/1.1\r\nHost: a\r\n" + body(100_000), 1},
		{"expected body that nobody invited", "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n", 1},
		{"close", "GET / HTTP/1.1\r\nHost: a\r\nConnection: foo, Close\r\n\r\n", 1},
		{"HTTP/1.0", "GET / HTTP/1.0\r\nHost: a\r\n\r\n", 1},
		{"HTTP/1.0 keep-alive", "GET / HTTP/1.0\r\nHost: a\r\nConnection: Keep-Alive\r\n\r\n", 2},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := statuses(t, talk(t, addr, tt.first+next)); len(got) != tt.want {
				t.Errorf("got %d responses, want %d", len(got), tt.want)
			}
		})
	}
}

func TestExpect(t *testing.T) {
	_, addr := serveFront(t, FrontOptions{Handler: echo})
	nc := dial(t, addr)
	if _, err := io.WriteString(nc, "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\nConnection: close\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	invitation := make([]byte, len("HTTP/1.1 100 Continue\r\n\r\n"))
	if _, err := io.ReadFull(nc, invitation); err != nil || string(invitation) != "HTTP/1.1 100 Continue\r\n\r\n" {
		t.Fatalf("got %q, %v", invitation, err)
	}
	if _, err := io.WriteString(nc, "abc"); err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(nc)
	if err != nil || !bytes.HasSuffix(answer, []byte("\nabc")) || bytes.Contains(answer, []byte("expect")) {
		t.Errorf("got %q, %v", answer, err)
	}
}

// A response may begin before the request has ended, and go on with it.
func TestFullDuplex(t *testing.T) {
	_, addr := serveFront(t, FrontOptions{Handler: func(x *Exchange) {
		_ = x.Start(200, nil)
		_ = x.Flush()
		if _, err := io.Copy(x, x.Body); err != nil {
			t.Error(err)
		}
	}})
	nc := dial(t, addr)
	if _, err := io.WriteString(nc, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	res, err := http.ReadResponse(bufio.NewReader(nc), nil)
	if err != nil {
		t.Fatal(err)
	}
	for range 10 {
		if _, err := io.WriteString(nc, "5\r\nhello\r\n"); err != nil {
			t.Fatal(err)
		}
		got := make([]byte, 5)
		if _, err := io.ReadFull(res.Body, got); err != nil || string(got) != "hello" {
			t.Fatalf("got %q, %v", got, err)
		}
	}
	if _, err := io.WriteString(nc, "0\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if rest, err := io.ReadAll(res.Body); err != nil || len(rest) != 0 {
		t.Errorf("got %q, %v", rest, err)
	}
}

// A body is not read any more when the handler has returned, whoever still tries.
func TestBodyEndsWithTheHandler(t *testing.T) {
	late := make(chan error, 1)
	_, addr := serveFront(t, FrontOptions{Handler: func(x *Exchange) {
		reading := make(chan struct{})
		go func() {
			close(reading)
			_, err := x.Body.Read(make([]byte, 10))
			late <- err
		}()
		<-reading
		_ = x.Respond(504, nil, nil)
	}})
	answer := talk(t, addr, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n")
	if got := statuses(t, answer); len(got) != 1 || got[0] != 504 {
		t.Errorf("got %q", answer)
	}
	if err := <-late; err == nil {
		t.Error("the body was read")
	}
}

func TestContextEndsWhenTheClientLeaves(t *testing.T) {
	began, left := make(chan struct{}), make(chan struct{})
	_, addr := serveFront(t, FrontOptions{Handler: func(x *Exchange) {
		close(began)
		<-x.Context().Done()
		close(left)
	}})
	nc := dial(t, addr)
	// Its body isn't whole, and nobody reads it: the end must be seen behind it.
	if _, err := io.WriteString(nc, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nabc"); err != nil {
		t.Fatal(err)
	}
	<-began
	_ = nc.Close()
	select {
	case <-left:
	case <-time.After(time.Minute):
		t.Error("the handler never heard of it")
	}
}

func TestLentToNetHTTP(t *testing.T) {
	dir := t.TempDir()
	big := bytes.Repeat([]byte("0123456789abcdef"), 1<<16) // past what is copied
	for name, content := range map[string][]byte{"big.txt": big, "small.txt": []byte("small"), "empty.txt": nil} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	files := http.FileServer(http.Dir(dir))
	mux := http.NewServeMux()
	mux.Handle("/files/", http.StripPrefix("/files", files))
	mux.HandleFunc("/hello", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "<html>%s %s %s", r.Host, r.URL.Query().Get("q"), r.RemoteAddr)
	})
	mux.HandleFunc("/nothing", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("/panic", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "held back")
		panic("oh")
	})
	mux.HandleFunc("/stream", func(w http.ResponseWriter, _ *http.Request) {
		for range 3 {
			_, _ = io.WriteString(w, "part ")
			w.(http.Flusher).Flush()
		}
		_, _ = w.Write(big)
	})
	mux.HandleFunc("/declined", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("/echo", func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, r.Body) })
	for _, major := range []int{1, 2} {
		_, addr := serveFront(t, FrontOptions{Handler: func(x *Exchange) {
			mux.ServeHTTP(x.HTTP())
			switch x.Target {
			case "/declined": // the other way is still open
				_ = x.Respond(201, nil, []byte("ours"))
			case "/hello?q=x%20y":
				if x.Status() != 200 {
					t.Errorf("the status is %d", x.Status())
				}
			}
		}})
		var p http.Protocols
		p.SetHTTP1(major == 1)
		p.SetUnencryptedHTTP2(major == 2)
		client := &http.Client{Transport: &http.Transport{Protocols: &p}}
		get := func(t *testing.T, path, fields string, body io.Reader) (*http.Response, []byte) {
			t.Helper()
			req, err := http.NewRequest(http.MethodPost, "http://"+addr.String()+path, body)
			if err != nil {
				t.Fatal(err)
			}
			if body == nil {
				req.Method = http.MethodGet
			}
			if name, value, ok := strings.Cut(fields, ": "); ok {
				req.Header.Set(name, value)
			}
			res, err := client.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			got, err := io.ReadAll(res.Body)
			if err != nil {
				t.Fatal(err)
			}
			return res, got
		}
		t.Run(fmt.Sprint(major), func(t *testing.T) {
			defer client.CloseIdleConnections()
			if res, got := get(t, "/files/big.txt", "", nil); !bytes.Equal(got, big) || res.ContentLength != int64(len(big)) {
				t.Errorf("big file: %d bytes, %v", len(got), res)
			}
			if res, got := get(t, "/files/big.txt", "Range: bytes=16-200000", nil); res.StatusCode != 206 || !bytes.Equal(got, big[16:200001]) {
				t.Errorf("part of a file: %d bytes, %v", len(got), res)
			}
			if res, got := get(t, "/files/small.txt", "", nil); string(got) != "small" || res.Header.Get("Content-Type") != "text/plain; charset=utf-8" {
				t.Errorf("small file: %q, %v", got, res)
			}
			if res, got := get(t, "/files/empty.txt", "", nil); len(got) != 0 || res.StatusCode != 200 {
				t.Errorf("empty file: %q, %v", got, res)
			}
			if res, _ := get(t, "/files/none.txt", "", nil); res.StatusCode != 404 {
				t.Errorf("no file: %v", res)
			}
			if res, got := get(t, "/hello?q=x%20y", "", nil); string(got) != "<html>"+addr.String()+" x y 127.0.0.1:0" || res.Header.Get("Content-Type") != "text/html; charset=utf-8" || res.ContentLength != int64(len(got)) {
				t.Errorf("hello: %q, %v", got, res)
			}
			if res, got := get(t, "/nothing", "", nil); res.StatusCode != 200 || len(got) != 0 {
				t.Errorf("nothing: %q, %v", got, res)
			}
			if res, got := get(t, "/declined", "", nil); res.StatusCode != 201 || string(got) != "ours" {
				t.Errorf("declined: %q, %v", got, res)
			}
			if res, got := get(t, "/stream", "", nil); string(got) != "part part part "+string(big) || res.ContentLength != -1 {
				t.Errorf("stream: %d bytes, %v", len(got), res)
			}
			if _, got := get(t, "/echo", "", bytes.NewReader(big)); !bytes.Equal(got, big) {
				t.Errorf("echo: %d bytes", len(got))
			}
		})
	}
	t.Run("panic", func(t *testing.T) {
		_, addr := serveFront(t, FrontOptions{Handler: func(x *Exchange) { mux.ServeHTTP(x.HTTP()) }})
		answer := talk(t, addr, "GET /panic HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
		if got := statuses(t, answer); len(got) != 1 || got[0] != 500 {
			t.Errorf("got %q", answer)
		}
	})
}

func TestWebSocket(t *testing.T) {
	f, addr := serveFront(t, FrontOptions{Handler: func(x *Exchange) {
		w, r := x.HTTP()
		ws, err := websocket.Accept(w, r, nil)
		if err != nil {
			t.Error(err)
			return
		}
		defer ws.CloseNow()
		for {
			kind, message, err := ws.Read(context.Background())
			if err != nil {
				return
			}
			if err := ws.Write(context.Background(), kind, message); err != nil {
				return
			}
		}
	}})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	ws, _, err := websocket.Dial(ctx, "ws://"+addr.String()+"/", nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 10 {
		if err := ws.Write(ctx, websocket.MessageText, fmt.Append(nil, i)); err != nil {
			t.Fatal(err)
		}
		if _, got, err := ws.Read(ctx); err != nil || string(got) != fmt.Sprint(i) {
			t.Fatalf("got %q, %v", got, err)
		}
	}
	if n := f.Stats().Connections; n != 1 {
		t.Errorf("the front end knows of %d connections, want 1", n)
	}
	_ = ws.Close(websocket.StatusNormalClosure, "")
	await.That(t, "the end of the connections", func() bool { return f.Stats().Connections == 0 })
}

// To close the body ends a read that waits, whoever does it.
func TestBodyIsClosed(t *testing.T) {
	_, addr := serveFront(t, FrontOptions{Handler: func(x *Exchange) {
		x.Block()
		time.AfterFunc(10*time.Millisecond, func() { _ = x.Body.Close() })
		if _, err := io.ReadAll(x.Body); err == nil {
			t.Error("the body was read")
		}
		_ = x.Respond(504, nil, nil)
	}})
	answer := talk(t, addr, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nabc")
	if got := statuses(t, answer); len(got) != 1 || got[0] != 504 {
		t.Errorf("over HTTP/1: got %q", answer)
	}
	var p http.Protocols
	p.SetUnencryptedHTTP2(true)
	transport := &http.Transport{Protocols: &p}
	defer transport.CloseIdleConnections()
	body, upload := io.Pipe()
	defer upload.Close()
	req, err := http.NewRequest("POST", "http://"+addr.String(), body)
	if err != nil {
		t.Fatal(err)
	}
	res, err := transport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != 504 {
		t.Errorf("over HTTP/2: got %s", res.Status)
	}
}
