package daemon

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/sys/unix"

	"github.com/nano-runtime/nano/internal/await"
)

// One that waits, or takes long, without saying so keeps nobody for more than a moment,
// though there is only one worker.
func TestStuckHandlers(t *testing.T) {
	hold := make(chan struct{})
	var entered atomic.Int32
	_, addr := serveFront(t, FrontOptions{Workers: 1, Handler: func(x *Exchange) {
		switch x.Target {
		case "/waits":
			entered.Add(1)
			<-hold
		case "/announces":
			entered.Add(1)
			x.Block()
			<-hold
		case "/burns":
			entered.Add(1)
			for began := time.Now(); time.Since(began) < 20*time.Millisecond; {
			}
		}
		_ = x.Respond(200, nil, []byte(x.Target))
	}})
	var group sync.WaitGroup
	stuck := []string{"/waits", "/announces", "/burns", "/waits", "/announces", "/waits"}
	for _, target := range stuck {
		group.Go(func() {
			if got := statuses(t, talk(t, addr, "GET "+target+" HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")); len(got) != 1 || got[0] != 200 {
				t.Errorf("%s: got %v", target, got)
			}
		})
	}
	await.That(t, "all handlers are entered", func() bool { return int(entered.Load()) == len(stuck) })
	for range 20 {
		if got := statuses(t, talk(t, addr, "GET /quick HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")); len(got) != 1 || got[0] != 200 {
			t.Errorf("beside them: got %v", got)
		}
	}
	close(hold)
	group.Wait()
}

// A client that takes nothing of a long answer keeps nobody either.
func TestSlowTaker(t *testing.T) {
	_, addr := serveFront(t, FrontOptions{Workers: 1, Handler: func(x *Exchange) {
		if x.Target != "/long" {
			_ = x.Respond(200, nil, nil)
			return
		}
		_ = x.Start(200, nil)
		_, _ = x.Write(make([]byte, 16<<20)) // it fails when the client leaves
	}})
	for range 4 {
		nc := dial(t, addr)
		defer nc.Close()
		if _, err := io.WriteString(nc, "GET /long HTTP/1.1\r\nHost: a\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		if _, err := nc.Read(make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
		if got := statuses(t, talk(t, addr, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")); len(got) != 1 || got[0] != 200 {
			t.Errorf("beside it: got %v", got)
		}
	}
}

// Whoever rests has no goroutine.
func TestRestingConnections(t *testing.T) {
	const crowd = 200
	f, addr := serveFront(t, FrontOptions{Handler: echo})
	before := runtime.NumGoroutine()
	for i := range crowd {
		nc := dial(t, addr)
		defer nc.Close()
		if i%2 == 0 {
			if _, err := io.WriteString(nc, "GET / HTTP/1.1\r\nHost: a\r\n\r\n"); err != nil {
				t.Fatal(err)
			}
			if _, err := nc.Read(make([]byte, 1000)); err != nil {
				t.Fatal(err)
			}
		}
	}
	await.That(t, "all connections", func() bool { return f.Stats().Connections == crowd && runtime.NumGoroutine() < before+crowd/4 })
}

func TestSuspend(t *testing.T) {
	// Each answers with the number of the turn in which it does.
	tests := []struct {
		name    string
		handler func(x *Exchange, turn *int, next func())
		want    string
	}{
		{"resumed before it returns", func(x *Exchange, turn *int, next func()) {
			if *turn < 3 {
				x.Suspend(next)
				x.Resume()
			}
		}, "3"},
		{"resumed from elsewhere", func(x *Exchange, turn *int, next func()) {
			if *turn < 3 {
				x.Suspend(next)
				go x.Resume()
			}
		}, "3"},
		{"resumed by a timer", func(x *Exchange, turn *int, next func()) {
			if *turn < 2 {
				x.Suspend(next)
				time.AfterFunc(5*time.Millisecond, x.Resume)
			}
		}, "2"},
		{"resumed before it is suspended", func(x *Exchange, turn *int, next func()) {
			x.Resume()
			if *turn < 2 {
				x.Suspend(next)
			}
		}, "2"},
		{"resumed by many at once", func(x *Exchange, turn *int, next func()) {
			if *turn == 1 {
				x.Suspend(next)
				for range 8 {
					go x.Resume()
				}
			}
		}, ""}, // how many turns that makes is anyone's guess
		{"resumed when it is over", func(x *Exchange, _ *int, _ func()) {
			time.AfterFunc(5*time.Millisecond, x.Resume)
		}, "1"},
		{"a task", func(x *Exchange, turn *int, next func()) {
			if *turn > 1 {
				return
			}
			x.Suspend(next)
			calls := 0
			run := func(block func()) bool {
				if calls++; calls == 2 {
					block()
				}
				if calls < 3 {
					return true
				}
				x.Resume()
				return false
			}
			if workers := x.Workers(); workers != nil {
				workers.Do(run)
				return
			}
			for run(func() {}) { // HTTP/2
			}
		}, "2"},
		{"a panic afterwards", func(x *Exchange, turn *int, next func()) {
			if *turn == 2 {
				panic("on purpose")
			}
			x.Suspend(next)
			go x.Resume()
		}, "500"},
	}
	for _, tt := range tests {
		for _, major := range []int{1, 2} {
			t.Run(fmt.Sprintf("%s, HTTP/%d", tt.name, major), func(t *testing.T) {
				_, addr := serveFront(t, FrontOptions{Workers: 2, Handler: func(x *Exchange) {
					turn := 0
					var step func()
					step = func() {
						turn++
						tt.handler(x, &turn, step)
						if x.next == nil {
							_ = x.Respond(200, nil, fmt.Append(nil, turn))
						}
					}
					step()
				}})
				var p http.Protocols
				p.SetHTTP1(major == 1)
				p.SetUnencryptedHTTP2(major == 2)
				client := &http.Client{Transport: &http.Transport{Protocols: &p}, Timeout: time.Minute}
				defer client.CloseIdleConnections()
				for range 20 {
					res, err := client.Get("http://" + addr.String())
					if err != nil {
						t.Fatal(err)
					}
					body, err := io.ReadAll(res.Body)
					res.Body.Close()
					got := string(body)
					if res.StatusCode != 200 {
						got = fmt.Sprint(res.StatusCode)
					}
					if err != nil || tt.want != "" && got != tt.want {
						t.Fatalf("got %q, %v, want %q", got, err, tt.want)
					}
				}
			})
		}
	}
}

// A suspended exchange learns that its client has gone, and doesn't hold up a drain then.
func TestSuspendGone(t *testing.T) {
	for _, first := range []string{"GET / HTTP/1.1\r\nHost: a\r\n\r\n", preface} {
		t.Run(strings.Fields(first)[0], func(t *testing.T) {
			suspended, told := make(chan struct{}), make(chan struct{})
			f, addr := serveFront(t, FrontOptions{Handler: func(x *Exchange) {
				x.OnGone(func() {
					close(told)
					x.Resume()
				})
				x.Suspend(x.Abort)
				close(suspended)
			}})
			var nc net.Conn
			if first == preface {
				c := dialHTTP2(t, addr)
				if err := c.WriteHeaders(h2headers(c)); err != nil {
					t.Fatal(err)
				}
				nc = c.nc
			} else {
				nc = dial(t, addr)
				if _, err := io.WriteString(nc, first); err != nil {
					t.Fatal(err)
				}
			}
			<-suspended
			nc.Close()
			select {
			case <-told:
			case <-time.After(time.Minute):
				t.Fatal("nobody was told")
			}
			await.That(t, "the end of the connections", func() bool { return f.Stats().Connections == 0 })
		})
	}
}

func h2headers(c *h2client) http2.HeadersFrameParam {
	return http2.HeadersFrameParam{StreamID: 1, BlockFragment: c.fields("GET", "/"), EndStream: true, EndHeaders: true}
}

// However often the roles change hands, no request is left behind.
func TestRolesChange(t *testing.T) {
	const clients, requests = 32, 150
	_, addr := serveFront(t, FrontOptions{Workers: 2, Handler: func(x *Exchange) {
		answer := func() { _ = x.Respond(200, nil, []byte(x.Target)) }
		switch x.Target[len(x.Target)-1] {
		case '1':
			x.Block()
		case '2':
			time.Sleep(watchEvery) // about when the watch takes the role
		case '3':
			x.Suspend(answer)
			go x.Resume()
			return
		case '4':
			x.Suspend(answer)
			x.Workers().Do(func(block func()) bool {
				block()
				x.Resume()
				return false
			})
			return
		case '5':
			x.Suspend(answer)
			time.AfterFunc(time.Millisecond, x.Resume)
			return
		}
		answer()
	}})
	var group sync.WaitGroup
	for n := range clients {
		group.Go(func() {
			nc := dial(t, addr)
			defer nc.Close()
			in := bufio.NewReader(nc)
			for i := range requests {
				target := fmt.Sprintf("/%d", n*7+i)
				if _, err := fmt.Fprintf(nc, "GET %s HTTP/1.1\r\nHost: a\r\n\r\n", target); err != nil {
					t.Error(err)
					return
				}
				res, err := http.ReadResponse(in, nil)
				if err != nil {
					t.Errorf("request %d of client %d: %v", i, n, err)
					return
				}
				body, err := io.ReadAll(res.Body)
				if err != nil || string(body) != target {
					t.Errorf("%s: got %q, %v", target, body, err)
					return
				}
			}
		})
	}
	group.Wait()
}

// A worker that lost its role while it waited for events has those it gets served side by
// side: nobody takes over from it.
func TestLostWorker(t *testing.T) {
	hold := make(chan struct{})
	f, addr := serveFront(t, FrontOptions{Workers: 1, Handler: func(x *Exchange) {
		switch x.Target {
		case "/burns":
			for began := time.Now(); time.Since(began) < time.Millisecond; {
			}
		case "/waits":
			x.Block()
			<-hold
		}
		_ = x.Respond(200, nil, nil)
	}})
	defer close(hold)
	for round := 1; round <= 10; round++ {
		conns := make([]net.Conn, 24)
		for n := range conns {
			conns[n] = dial(t, addr)
		}
		await.That(t, "all connections", func() bool { return f.Stats().Connections == round*len(conns) })
		f.poller.mu.Lock()
		w := f.poller.workers[0]
		f.poller.mu.Unlock()
		await.That(t, "a worker that sleeps", func() bool {
			w.mu.Lock()
			defer w.mu.Unlock()
			return w.asleep || w.lost
		})
		w.leave() // as the watch does when it comes too late
		for n, nc := range conns {
			target := []string{"/quick", "/waits"}[n%2]
			if n == 0 {
				target = "/burns"
			}
			if _, err := io.WriteString(nc, "GET "+target+" HTTP/1.1\r\nHost: a\r\n\r\n"); err != nil {
				t.Fatal(err)
			}
		}
		for n := 2; n < len(conns); n += 2 {
			_ = conns[n].SetReadDeadline(time.Now().Add(time.Minute))
			if _, err := conns[n].Read(make([]byte, 1000)); err != nil {
				t.Fatalf("round %d, request %d beside those that wait: %v", round, n, err)
			}
		}
	}
}

// What package net sets for a connection, one of ours has, too, also if it was there before
// the front end, and if the listener speaks Multipath TCP, as package net's do.
func TestOptionsOfConnections(t *testing.T) {
	for _, multipath := range []bool{false, true} {
		var config net.ListenConfig
		config.SetMultipathTCP(multipath)
		ln, err := config.Listen(t.Context(), "tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		early := dial(t, ln.Addr())
		f := NewFront(FrontOptions{Handler: func(x *Exchange) {
			var got []byte
			for _, option := range [][2]int{
				{unix.IPPROTO_TCP, unix.TCP_NODELAY}, {unix.SOL_SOCKET, unix.SO_KEEPALIVE}, {unix.IPPROTO_TCP, unix.TCP_KEEPIDLE},
			} {
				value, err := unix.GetsockoptInt(x.wire.(*h1).c.sock.fd, option[0], option[1])
				if err != nil {
					t.Error(err)
				}
				got = fmt.Append(got, value, " ")
			}
			_ = x.Respond(200, nil, got)
		}})
		go func() { _ = f.Serve(ln) }()
		t.Cleanup(func() { _ = f.Drain(context.Background(), 0) })
		for name, nc := range map[string]net.Conn{"early": early, "late": dial(t, ln.Addr())} {
			if _, err := io.WriteString(nc, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"); err != nil {
				t.Fatal(err)
			}
			if answer, err := io.ReadAll(nc); err != nil || !bytes.HasSuffix(answer, []byte("\r\n1 1 15 ")) {
				t.Errorf("multipath %t, %s: got %q, %v", multipath, name, answer, err)
			}
		}
	}
}
