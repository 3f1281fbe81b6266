package webapi

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nano-runtime/nano/internal/await"
	"github.com/nano-runtime/nano/isolate"
)

var snapshot = sync.OnceValues(func() (*isolate.Snapshot, error) { return isolate.NewSnapshot(Prelude()) })

// app is an isolate that runs a module, with the least of a front end around it.
type app struct {
	t       testing.TB
	isolate *isolate.Isolate
	host    *Host

	mu      sync.Mutex
	last    uint32
	answers map[uint32]*answer
	logs    []string
	logged  chan struct{} // closed with the next line, if somebody waits for it
}

// answer is what the app did about one request.
type answer struct {
	status int
	header string
	body   strings.Builder
	failed string
	ended  chan struct{} // closed at the response's end
	done   chan struct{} // closed at DONE
	chunks chan uint32   // acknowledgements to give, where the test does that itself
	upload func() []byte // the next chunk of the request's body; nil at its end
}

// anywhere lets fetch reach the tests' own servers.
func anywhere(string, netip.AddrPort) bool { return true }

func nowhere(string, netip.AddrPort) bool { return false }

// load runs code as the app's module.
func load(t testing.TB, code string, allows func(string, netip.AddrPort) bool) *app {
	t.Helper()
	return loadWith(t, code, allows, nil)
}

// loadWith does so for an app with static files, unless they are nil.
func loadWith(t testing.TB, code string, allows func(string, netip.AddrPort) bool, assets http.Handler) *app {
	t.Helper()
	a := open(t, allows, assets)
	ctx, cancel := context.WithTimeout(context.Background(), await.Deadline)
	defer cancel()
	if _, err := a.isolate.Load(ctx, isolate.Module{Code: []byte(code), Name: "app:test", Env: `{"GREETING":"hi"}`, Assets: assets != nil}); err != nil {
		t.Fatal(err)
	}
	return a
}

// open makes an isolate without a module.
func open(t testing.TB, allows func(string, netip.AddrPort) bool, assets http.Handler) *app {
	t.Helper()
	snap, err := snapshot()
	if err != nil {
		t.Fatal(err)
	}
	fetcher := NewFetcher(allows)
	scheduler := isolate.NewScheduler(runtime.GOMAXPROCS(0))
	a := &app{t: t, answers: make(map[uint32]*answer)}
	send := func(op isolate.Op, id uint32, args ...isolate.Arg) bool { return a.isolate.Send(op, id, args...) }
	a.host = NewHost(HostOptions{Fetcher: fetcher, Assets: assets, Send: send, Work: func(f func()) { f() }})
	a.isolate, err = isolate.New(isolate.Options{
		Snapshot: snap, Scheduler: scheduler, App: "test", Memory: 256 << 20, CPU: 20 * time.Second,
		Handle: a.handle,
		Lost:   func(l isolate.Loss) { t.Errorf("the isolate was lost: %+v", l) },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		a.host.Close()
		a.isolate.Close()
		fetcher.Close()
		scheduler.Close()
	})
	return a
}

// handler loads a module whose fetch handler has the given body.
func handler(t testing.TB, body string) *app {
	t.Helper()
	return load(t, "export default { async fetch(request, env, ctx) {"+body+"} }", anywhere)
}

func (a *app) handle(m *isolate.Message) {
	a.mu.Lock()
	x := a.answers[m.ID]
	a.mu.Unlock()
	switch m.Op {
	case isolate.OpRespond:
		x.status, x.header = int(m.Arg(0).Number()), m.Arg(1).Latin1()
		if !m.Arg(2).Bool() {
			x.body.Write(m.Arg(2).Bytes())
			close(x.ended)
		}
	case isolate.OpChunk:
		x.body.Write(m.Arg(0).Bytes())
		call := uint32(m.Arg(1).Number())
		if x.chunks != nil {
			x.chunks <- call
		} else {
			go a.isolate.Send(isolate.InResult, call)
		}
	case isolate.OpEnd:
		close(x.ended)
	case isolate.OpFail:
		x.failed = m.Arg(0).Text() + "\n" + m.Arg(1).Text()
		close(x.ended)
	case isolate.OpReadBody:
		a.mu.Lock()
		x = a.answers[uint32(m.Arg(0).Number())]
		a.mu.Unlock()
		call := m.ID
		go func() {
			if chunk := x.upload(); chunk != nil {
				a.isolate.Send(isolate.InResult, call, isolate.Bytes(chunk))
			} else {
				a.isolate.Send(isolate.InResult, call, isolate.Null())
			}
		}()
	case isolate.OpCancelBody:
	case isolate.OpDone:
		close(x.done)
	case isolate.OpLog:
		a.log(m.Arg(1).Text())
	case isolate.OpUnhandled:
		a.log("unhandled: " + m.Arg(0).Text())
	default:
		a.host.Handle(m)
	}
}

func (a *app) log(line string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.logs = append(a.logs, line)
	if a.logged != nil {
		close(a.logged)
		a.logged = nil
	}
}

// waitLogs waits until there are n lines.
func (a *app) waitLogs(n int) {
	a.t.Helper()
	for {
		a.mu.Lock()
		if len(a.logs) >= n {
			a.mu.Unlock()
			return
		}
		if a.logged == nil {
			a.logged = make(chan struct{})
		}
		logged := a.logged
		a.mu.Unlock()
		a.wait(logged)
	}
}

func (a *app) expectLogs(want ...string) {
	a.t.Helper()
	a.mu.Lock()
	defer a.mu.Unlock()
	if !slices.Equal(a.logs, want) {
		a.t.Errorf("logged %q\nwant   %q", a.logs, want)
	}
}

// request is what a test sends; the zero value is GET /.
type request struct {
	method, path, header string
	body                 isolate.Arg
	upload               func() []byte
	chunks               chan uint32
}

func (a *app) begin(r request) (uint32, *answer) {
	if r.method == "" {
		r.method = "GET"
	}
	if r.path == "" {
		r.path = "/"
	}
	x := &answer{ended: make(chan struct{}), done: make(chan struct{}), upload: r.upload, chunks: r.chunks}
	a.mu.Lock()
	a.last++
	id := a.last
	a.answers[id] = x
	a.mu.Unlock()
	a.isolate.Send(isolate.InRequest, id, isolate.Text(r.method), isolate.Text("http://app.example"+r.path),
		isolate.Latin1(r.header), r.body)
	return id, x
}

func (a *app) do(r request) *answer {
	a.t.Helper()
	_, x := a.begin(r)
	a.wait(x.ended)
	return x
}

// get is the body of the answer to GET path, or what failed.
func (a *app) get(path string) string {
	a.t.Helper()
	x := a.do(request{path: path})
	if x.failed != "" {
		return "failed: " + x.failed
	}
	return x.body.String()
}

func (a *app) wait(event <-chan struct{}) {
	a.t.Helper()
	select {
	case <-event:
	case <-time.After(await.Deadline):
		a.mu.Lock()
		defer a.mu.Unlock()
		a.t.Fatalf("nothing came for %s; logs: %s", await.Deadline, strings.Join(a.logs, "\n"))
	}
}

// check compares what the app answers with want.
func (a *app) check(path, want string) {
	a.t.Helper()
	if got := a.get(path); got != want {
		a.t.Errorf("got %s\nwant %s", fmt.Sprintf("%.2000q", got), fmt.Sprintf("%q", want))
	}
}
