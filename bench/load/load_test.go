package load

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func serve(t *testing.T, handler http.HandlerFunc) netip.AddrPort {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return netip.MustParseAddrPort(strings.TrimPrefix(server.URL, "http://"))
}

func run(t *testing.T, plan Plan) *Result {
	t.Helper()
	result, err := Run(t.Context(), plan)
	if err != nil {
		t.Fatal(err)
	}
	return result
}

func TestRunSendsWhatThePlanSays(t *testing.T) {
	get := []byte("GET /one HTTP/1.1\r\nHost: a\r\n\r\n")
	post := []byte("POST /two HTTP/1.1\r\nHost: b\r\nContent-Length: 4\r\n\r\nbody")
	last := []byte("GET /one HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
	for _, test := range []struct {
		name string
		plan Plan
	}{
		{"one connection", Plan{Requests: [][]byte{get}, Conns: 1, KeepAlive: true, Count: 100}},
		{"two requests in turn", Plan{Requests: [][]byte{get, post}, Conns: 8, KeepAlive: true, Count: 100}},
		{"a connection each", Plan{Requests: [][]byte{last}, Conns: 4, Count: 100}},
		{"at a rate", Plan{Requests: [][]byte{get, post}, Conns: 4, KeepAlive: true, Rate: 2000, Count: 100}},
		{"more connections than requests", Plan{Requests: [][]byte{get}, Conns: 200, KeepAlive: true, Count: 100}},
	} {
		t.Run(test.name, func(t *testing.T) {
			var gets, posts atomic.Int64
			test.plan.Addr = serve(t, func(w http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				switch r.Method + r.Host + r.URL.Path + string(body) {
				case "GETa/one":
					gets.Add(1)
				case "POSTb/twobody":
					posts.Add(1)
				}
				io.WriteString(w, "answer")
			})
			test.plan.For, test.plan.Status, test.plan.Body = time.Minute, 200, 6
			result := run(t, test.plan)
			if result.Done != 100 || result.Errors != 0 || result.Latency.Count() != 100 {
				t.Errorf("%d answers, %d errors (%v), %d latencies; want 100, 0, 100", result.Done, result.Errors, result.FirstError, result.Latency.Count())
			}
			if gets.Load()+posts.Load() != 100 {
				t.Errorf("the server saw %d GET and %d POST", gets.Load(), posts.Load())
			}
		})
	}
}

func TestRunReadsLargeAndChunkedBodies(t *testing.T) {
	big := strings.Repeat("x", 1<<20)
	addr := serve(t, func(w http.ResponseWriter, r *http.Request) {
		for part := range 4 {
			io.WriteString(w, big[part<<18:(part+1)<<18])
			http.NewResponseController(w).Flush()
		}
	})
	result := run(t, Plan{
		Addr: addr, Requests: [][]byte{[]byte("GET / HTTP/1.1\r\nHost: a\r\n\r\n")}, Conns: 3, KeepAlive: true,
		Count: 20, For: time.Minute, Status: 200, Body: 1 << 20,
	})
	if result.Done != 20 || result.Errors != 0 {
		t.Errorf("%d answers, %d errors (%v)", result.Done, result.Errors, result.FirstError)
	}
}

func TestRunSendsLargeBodies(t *testing.T) {
	body := strings.Repeat("x", 4<<20)
	addr := serve(t, func(w http.ResponseWriter, r *http.Request) {
		n, _ := io.Copy(io.Discard, r.Body)
		if n != int64(len(body)) {
			w.WriteHeader(400)
		}
	})
	result := run(t, Plan{
		Addr: addr, Requests: [][]byte{[]byte("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4194304\r\n\r\n" + body)}, Conns: 2, KeepAlive: true,
		Count: 6, For: time.Minute, Status: 200, Body: 0,
	})
	if result.Done != 6 || result.Errors != 0 {
		t.Errorf("%d answers, %d errors (%v)", result.Done, result.Errors, result.FirstError)
	}
}

func TestRunCountsErrors(t *testing.T) {
	var n atomic.Int64
	addr := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch n.Add(1) % 4 {
		case 0:
			w.WriteHeader(500)
		case 1:
			io.WriteString(w, "longer than it should be")
		case 2:
			panic(http.ErrAbortHandler) // closes the connection
		default:
			io.WriteString(w, "answer")
		}
	})
	result := run(t, Plan{
		Addr: addr, Requests: [][]byte{[]byte("GET / HTTP/1.1\r\nHost: a\r\n\r\n")}, Conns: 3, KeepAlive: true,
		Count: 40, For: time.Minute, Status: 200, Body: 6,
	})
	if result.Done != 10 || result.Errors != 30 || result.FirstError == nil {
		t.Errorf("%d answers, %d errors (%v); want 10, 30", result.Done, result.Errors, result.FirstError)
	}
}

// A server that stands still for a while must show in the latencies of all
// requests that were due meanwhile, not only of those that were under way.
func TestRunAtARateOmitsNothing(t *testing.T) {
	var n atomic.Int64
	addr := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if n.Add(1) == 10 {
			time.Sleep(200 * time.Millisecond)
		}
		io.WriteString(w, "answer")
	})
	result := run(t, Plan{
		Addr: addr, Requests: [][]byte{[]byte("GET / HTTP/1.1\r\nHost: a\r\n\r\n")}, Conns: 1, KeepAlive: true,
		Rate: 1000, Count: 300, For: time.Minute, Status: 200, Body: 6,
	})
	if result.Done != 300 {
		t.Fatalf("%d answers, %d errors (%v)", result.Done, result.Errors, result.FirstError)
	}
	// About 200 of the 300 were due while it stood still.
	if got := result.Latency.Quantile(0.6); got < 10*time.Millisecond {
		t.Errorf("the quantile 0.6 is %v: waiting was left out", got)
	}
}

// What was due before the end is sent after it, where the server stood still then.
func TestRunAtARateSendsWhatWasDue(t *testing.T) {
	var n atomic.Int64
	addr := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if n.Add(1) == 100 {
			time.Sleep(500 * time.Millisecond)
		}
		io.WriteString(w, "answer")
	})
	result := run(t, Plan{
		Addr: addr, Requests: [][]byte{[]byte("GET / HTTP/1.1\r\nHost: a\r\n\r\n")}, Conns: 1, KeepAlive: true,
		Rate: 1000, For: 300 * time.Millisecond, Status: 200, Body: 6,
	})
	if result.Done != 300 {
		t.Fatalf("%d answers, %d errors (%v)", result.Done, result.Errors, result.FirstError)
	}
	if got := result.Latency.Quantile(0.9); got < 100*time.Millisecond {
		t.Errorf("the quantile 0.9 is %v: what was due while it stood still was left out", got)
	}
}

func TestRunNobodyListens(t *testing.T) {
	addr := serve(t, func(http.ResponseWriter, *http.Request) {})
	closed := netip.AddrPortFrom(addr.Addr(), 1)
	request := [][]byte{[]byte("GET / HTTP/1.1\r\nHost: a\r\n\r\n")}
	if _, err := Run(t.Context(), Plan{Addr: closed, Requests: request, Conns: 1, KeepAlive: true, For: time.Second}); err == nil {
		t.Error("no error")
	}
}

func TestRunEndsWithItsContext(t *testing.T) {
	addr := serve(t, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "answer") })
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := Run(ctx, Plan{
		Addr: addr, Requests: [][]byte{[]byte("GET / HTTP/1.1\r\nHost: a\r\n\r\n")}, Conns: 1, KeepAlive: true, For: time.Hour, Status: 200, Body: 6,
	})
	if err == nil {
		t.Error("no error")
	}
}
