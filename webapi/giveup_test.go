package webapi

import (
	"context"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nano-runtime/nano/isolate"
)

// sent is a message to the isolate.
type sent struct {
	op isolate.Op
	id uint32
}

// bareHost is a host without an isolate: what it sends goes to the channel.
func bareHost(f *Fetcher) (*Host, <-chan sent) {
	messages := make(chan sent, 100)
	return NewHost(HostOptions{Fetcher: f, Send: func(op isolate.Op, id uint32, _ ...isolate.Arg) bool {
		messages <- sent{op, id}
		return true
	}}), messages
}

// begin has the host ask transport for url, as its fetch 1.
func begin(t *testing.T, h *Host, transport http.RoundTripper, url string) *exchange {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	r, err := newRequest(ctx, "GET", url, "", nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	x := &exchange{host: h, id: 1, transport: transport, request: r, cancel: cancel}
	if err := h.admit(x); err != nil {
		t.Fatal(err)
	}
	return x
}

// A fetch that is given up while the head of its response comes doesn't keep its connection, however it is given up.
func TestGiveUpInHead(t *testing.T) {
	for name, giveUp := range map[string]func(h *Host){
		"aborted": func(h *Host) { h.drop(1) },
		"closed":  func(h *Host) { h.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			_, address, gone := halfway(t)
			f := NewFetcher(anywhere)
			h, messages := bareHost(f)
			dial := f.transport.dial
			f.transport.dial = func(ctx context.Context, network, address string) (net.Conn, error) {
				c, err := dial(ctx, network, address)
				return &clearingConn{Conn: c, clear: func() { giveUp(h) }, told: make(chan struct{})}, err
			}
			begin(t, h, f.transport, "http://"+address+"/")
			expectGone(t, gone)
			select {
			case m := <-messages:
				t.Errorf("JavaScript was told %v", m)
			default:
			}
		})
	}
}

// roundTrip is a function as an [http.RoundTripper].
type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// small is a response with a body of eight bytes.
func small(r *http.Request, body io.ReadCloser) *http.Response {
	return &http.Response{Status: "200 OK", StatusCode: http.StatusOK, Request: r, Header: make(http.Header), ContentLength: 8, Body: body}
}

// stuckBody is a body of which nothing comes.
type stuckBody struct {
	closed chan struct{}
	reads  atomic.Int32
	closes atomic.Int32
}

func newStuckBody() *stuckBody { return &stuckBody{closed: make(chan struct{})} }

func (b *stuckBody) Read([]byte) (int, error) {
	b.reads.Add(1)
	<-b.closed
	return 0, io.ErrClosedPipe
}

func (b *stuckBody) Close() error {
	if b.closes.Add(1) == 1 {
		close(b.closed)
	}
	return nil
}

// inBubble runs a test by a clock of its own.
func inBubble(t *testing.T, test func(t *testing.T)) {
	synctest.Test(t, func(t *testing.T) {
		defer time.Sleep(2 * workerPatience) // the fetcher's goroutines end
		test(t)
	})
}

// What is read to its end so that its connection can serve again is closed in time, though cancelling doesn't end it.
func TestDrainEnds(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		h, _ := bareHost(NewFetcher(anywhere))
		body := newStuckBody()
		defer body.Close()
		x := begin(t, h, roundTrip(func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return small(r, body), nil
		}), "http://a.example/")
		h.drop(x.id)
		time.Sleep(drainTime)
		synctest.Wait()
		if body.closes.Load() == 0 {
			t.Error("it is still read")
		}
	})
}

// A response that comes while its fetch is given up is drained once.
func TestGiveUpOnce(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		h, _ := bareHost(NewFetcher(anywhere))
		body := newStuckBody()
		defer body.Close()
		answer := make(chan struct{})
		x := begin(t, h, roundTrip(func(r *http.Request) (*http.Response, error) {
			<-answer
			return small(r, body), nil
		}), "http://a.example/")
		if !h.remove(x) { // drop, as far as it gets before the response comes
			t.Fatal("it is gone")
		}
		close(answer)
		synctest.Wait()
		x.giveUp() // … and the rest of it
		synctest.Wait()
		if n := body.reads.Load(); n != 1 {
			t.Errorf("%d goroutines read the body", n)
		}
		if err := x.request.Context().Err(); err != nil {
			t.Errorf("the drain is disturbed: %v", err)
		}
	})
}

// A read is answered, though the response's time is up when it comes.
func TestReadAtExpiry(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		h, messages := bareHost(NewFetcher(anywhere))
		for range 10000 {
			body := newStuckBody()
			x := begin(t, h, roundTrip(func(r *http.Request) (*http.Response, error) {
				response := small(r, body)
				response.ContentLength = -1 // it isn't read early
				return response, nil
			}), "http://a.example/")
			<-messages
			start := make(chan struct{})
			go func() {
				<-start
				x.expire()
			}()
			go func() {
				<-start
				h.read(2, x.id)
			}()
			synctest.Wait()
			close(start)
			synctest.Wait()
			body.Close()
			synctest.Wait()
			select {
			case <-messages:
			default:
				t.Error("nobody answers the read")
				return
			}
		}
	})
}

// A small body that doesn't come holds its connection no longer than others, unless it is being read.
func TestStalledSmallBody(t *testing.T) {
	stall := func(t *testing.T) (h *Host, messages <-chan sent, rest *io.PipeWriter) {
		t.Helper()
		h, messages = bareHost(NewFetcher(anywhere))
		body, rest := io.Pipe()
		begin(t, h, roundTrip(func(r *http.Request) (*http.Response, error) { return small(r, body), nil }), "http://a.example/")
		go rest.Write([]byte("half"))
		if m := <-messages; m != (sent{isolate.InResult, 1}) {
			t.Fatalf("got %v, want the head", m)
		}
		return h, messages, rest
	}
	left := func(h *Host) bool { return h.find(1) == nil }

	t.Run("not read", func(t *testing.T) {
		inBubble(t, func(t *testing.T) {
			h, messages, rest := stall(t)
			defer rest.Close()
			time.Sleep(bodyPatience - time.Second)
			if left(h) {
				t.Error("it is given up too early")
			}
			time.Sleep(time.Second)
			synctest.Wait()
			if !left(h) {
				t.Fatal("it is held for longer")
			}
			if _, err := rest.Write([]byte("half")); err != io.ErrClosedPipe {
				t.Errorf("the body isn't closed: %v", err)
			}
			h.read(2, 1)
			if m := <-messages; m != (sent{isolate.InError, 2}) {
				t.Errorf("reading got %v, want an error", m)
			}
		})
	})
	t.Run("read", func(t *testing.T) {
		inBubble(t, func(t *testing.T) {
			h, messages, rest := stall(t)
			defer rest.Close()
			h.read(2, 1)
			time.Sleep(2 * bodyPatience)
			if left(h) {
				t.Fatal("it is given up")
			}
			rest.Write([]byte("half"))
			if m := <-messages; m != (sent{isolate.InResult, 2}) {
				t.Errorf("reading got %v, want the body", m)
			}
			h.drop(1)
		})
	})
	t.Run("complete at last", func(t *testing.T) {
		inBubble(t, func(t *testing.T) {
			h, _, rest := stall(t)
			defer rest.Close()
			time.Sleep(bodyPatience / 2)
			rest.Write([]byte("half"))
			time.Sleep(bodyPatience - time.Second)
			if left(h) {
				t.Error("it is given up too early")
			}
			time.Sleep(time.Second)
			synctest.Wait()
			if !left(h) {
				t.Error("it is held for longer")
			}
		})
	})
}
