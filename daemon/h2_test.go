package daemon

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/nano-runtime/nano/internal/await"
)

// h2client is a client that speaks frames.
type h2client struct {
	t  *testing.T
	nc net.Conn
	*http2.Framer
	head bytes.Buffer
	enc  *hpack.Encoder
}

func dialHTTP2(t *testing.T, addr net.Addr) *h2client {
	t.Helper()
	c := &h2client{t: t, nc: dial(t, addr)}
	c.Framer = http2.NewFramer(c.nc, c.nc)
	c.enc = hpack.NewEncoder(&c.head)
	if _, err := io.WriteString(c.nc, preface); err != nil {
		t.Fatal(err)
	}
	if err := c.WriteSettings(); err != nil {
		t.Fatal(err)
	}
	return c
}

// fields encodes a request's head.
func (c *h2client) fields(method, path string, more ...string) []byte {
	c.head.Reset()
	all := append([]string{":method", method, ":path", path, ":scheme", "http", ":authority", "a"}, more...)
	for i := 0; i < len(all); i += 2 {
		if err := c.enc.WriteField(hpack.HeaderField{Name: all[i], Value: all[i+1]}); err != nil {
			c.t.Fatal(err)
		}
	}
	return c.head.Bytes()
}

// untilEnd reads until the server ends the connection.
func (c *h2client) untilEnd() {
	c.t.Helper()
	_, err := io.Copy(io.Discard, c.nc)
	if timeout := net.Error(nil); errors.As(err, &timeout) && timeout.Timeout() {
		c.t.Fatal("the connection goes on")
	}
}

func TestRapidReset(t *testing.T) {
	var running, most atomic.Int64
	f, addr := serveFront(t, FrontOptions{Handler: func(x *Exchange) {
		n := running.Add(1)
		defer running.Add(-1)
		for old := most.Load(); n > old && !most.CompareAndSwap(old, n); old = most.Load() {
		}
		<-x.Context().Done()
		time.Sleep(time.Millisecond) // an app that is still cleaning up
	}})
	c := dialHTTP2(t, addr)
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		for id := uint32(1); id < 20_000; id += 2 {
			if c.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: c.fields("GET", "/"), EndStream: true, EndHeaders: true}) != nil {
				return
			}
			if c.WriteRSTStream(id, http2.ErrCodeCancel) != nil {
				return
			}
		}
	}()
	go func() { _, _ = io.Copy(io.Discard, c.nc) }()
	<-sent // the server may end it before
	_ = c.nc.Close()
	await.That(t, "the end of the connections", func() bool { return f.Stats().Connections == 0 && running.Load() == 0 })
	if most.Load() > 128 {
		t.Errorf("%d handlers ran at once, want 128 at most", most.Load())
	}
}

func TestContinuationFlood(t *testing.T) {
	f, addr := serveFront(t, FrontOptions{Handler: echo})
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	c := dialHTTP2(t, addr)
	go func() {
		if c.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: c.fields("GET", "/")}) != nil {
			return
		}
		for range 100_000 {
			if c.WriteContinuation(1, false, c.fieldsOnly("a", strings.Repeat("b", 10_000))) != nil {
				return
			}
		}
		t.Error("the server took it all")
	}()
	c.untilEnd()
	_ = c.nc.Close()
	await.That(t, "the end of the connections", func() bool { return f.Stats().Connections == 0 })
	runtime.GC()
	runtime.ReadMemStats(&after)
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 8<<20 {
		t.Errorf("the heap grew by %d bytes", grown)
	}
}

// fieldsOnly encodes fields that are not in the table, so that they have their size.
func (c *h2client) fieldsOnly(name, value string) []byte {
	c.head.Reset()
	if err := c.enc.WriteField(hpack.HeaderField{Name: name, Value: value, Sensitive: true}); err != nil {
		c.t.Fatal(err)
	}
	return c.head.Bytes()
}

func TestFloodsOfControlFrames(t *testing.T) {
	floods := map[string]func(c *h2client) error{
		"ping":     func(c *h2client) error { return c.WritePing(false, [8]byte{}) },
		"settings": func(c *h2client) error { return c.WriteSettings() },
	}
	for name, flood := range floods {
		t.Run(name, func(t *testing.T) {
			f, addr := serveTuned(t, FrontOptions{Handler: echo}, hasty)
			c := dialHTTP2(t, addr)
			// Nobody reads the answers.
			for i := 0; ; i++ {
				if flood(c) != nil {
					break
				}
				if i > 50_000_000 {
					t.Fatal("the server takes it all")
				}
			}
			_ = c.nc.Close()
			await.That(t, "the end of the connections", func() bool { return f.Stats().Connections == 0 })
		})
	}
}

func TestSlowBodyOverHTTP2(t *testing.T) {
	failed := make(chan error, 1)
	_, addr := serveTuned(t, FrontOptions{Handler: func(x *Exchange) {
		_, err := io.Copy(io.Discard, x.Body)
		failed <- err
		_ = x.Respond(BodyStatus(err), nil, nil)
	}}, hasty)
	c := dialHTTP2(t, addr)
	if err := c.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: c.fields("POST", "/"), EndHeaders: true}); err != nil {
		t.Fatal(err)
	}
	go func() {
		for c.WriteData(1, false, []byte("x")) == nil {
			time.Sleep(20 * time.Millisecond)
		}
	}()
	if err := <-failed; BodyStatus(err) != 408 {
		t.Errorf("got %v", err)
	}
}

func TestRefusedOverHTTP2(t *testing.T) {
	_, addr := serveFront(t, FrontOptions{Handler: echo})
	tests := []struct {
		name   string
		method string
		path   string
		more   []string
	}{
		{"method", "TRACE", "/", nil},
		{"fragment", "GET", "/a#b", nil},
		{"blank", "GET", "/a b", nil},
		{"no slash", "GET", "a", nil},
		{"upper case", "GET", "/", []string{"A", "b"}},
		{"line break", "GET", "/", []string{"a", "b\r\nc: d"}},
		{"connection", "GET", "/", []string{"connection", "close"}},
		{"coding", "POST", "/", []string{"transfer-encoding", "chunked"}},
		{"two lengths", "POST", "/", []string{"content-length", "1", "content-length", "2"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := dialHTTP2(t, addr)
			c.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
			if err := c.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: c.fields(tt.method, tt.path, tt.more...), EndHeaders: true, EndStream: true}); err != nil {
				t.Fatal(err)
			}
			for {
				frame, err := c.ReadFrame()
				if err != nil {
					t.Fatal(err)
				}
				switch f := frame.(type) {
				case *http2.MetaHeadersFrame:
					if status := f.PseudoValue("status"); !strings.HasPrefix(status, "4") {
						t.Errorf("got %s", status)
					}
					return
				case *http2.RSTStreamFrame, *http2.GoAwayFrame:
					return
				}
			}
		})
	}
}

// requests sends one request after another on a connection until the server announces
// its end, and wants each to be answered. It returns how many were.
func (c *h2client) requests(stop <-chan struct{}) (answered int, err error) {
	defer c.nc.Close()
	for id := uint32(1); ; id += 2 {
		select {
		case <-stop:
			return answered, nil
		default:
		}
		if err := c.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: c.fields("GET", "/"), EndHeaders: true, EndStream: true}); err != nil {
			return answered, fmt.Errorf("stream %d: %w", id, err)
		}
		for leave := false; ; {
			frame, err := c.ReadFrame()
			if err != nil {
				return answered, fmt.Errorf("stream %d: %w", id, err)
			}
			if f, ok := frame.(*http2.GoAwayFrame); ok {
				if f.LastStreamID < id {
					return answered, fmt.Errorf("stream %d came after the last one, %d", id, f.LastStreamID)
				}
				leave = true
			}
			if f, ok := frame.(*http2.RSTStreamFrame); ok {
				return answered, fmt.Errorf("stream %d was reset: %v", id, f.ErrCode)
			}
			if frame.Header().StreamID == id && frame.Header().Flags.Has(http2.FlagDataEndStream) {
				answered++
				if leave {
					return answered, nil
				}
				break
			}
		}
	}
}

// Clients of HTTP/2 notice nothing of a takeover but that they are to connect again.
func TestTakeoverOverHTTP2(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	var fronts []*Front
	counts := make([]atomic.Int64, 4)
	begin := func(i int) {
		f := NewFront(FrontOptions{Handler: func(x *Exchange) {
			counts[i].Add(1)
			_ = x.Respond(200, nil, []byte("hi"))
		}})
		fronts = append(fronts, f)
		dup := copyOf(t, ln)
		go func() {
			if err := f.Serve(dup); err != nil {
				t.Error(err)
			}
		}()
	}
	begin(0)
	stop := make(chan struct{})
	var group sync.WaitGroup
	var answered atomic.Int64
	for range 8 {
		group.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				n, err := dialHTTP2(t, ln.Addr()).requests(stop)
				answered.Add(int64(n))
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for i := range counts {
		await.That(t, "500 requests", func() bool { return counts[i].Load() > 500 || t.Failed() })
		if i == len(counts)-1 {
			break
		}
		begin(i + 1)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		if err := fronts[i].Drain(ctx, handOverGrace); err != nil {
			t.Error(err)
		}
		cancel()
	}
	close(stop)
	group.Wait()
	if err := fronts[3].Drain(t.Context(), 0); err != nil {
		t.Error(err)
	}
	if answered.Load() < 2000 {
		t.Errorf("%d requests were answered", answered.Load())
	}
}

func TestManyHTTP2Connections(t *testing.T) {
	f, addr := serveTuned(t, FrontOptions{Handler: echo}, func(f *Front) { f.limits.http2 = 2 })
	for range 2 {
		c := dialHTTP2(t, addr)
		if _, err := c.ReadFrame(); err != nil {
			t.Fatal(err)
		}
	}
	c := dialHTTP2(t, addr)
	c.untilEnd()
	if f.Stats().Refused != 1 {
		t.Errorf("%d were refused, want 1", f.Stats().Refused)
	}
}
