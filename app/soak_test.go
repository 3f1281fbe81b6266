package app_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// resident is how much memory the process takes, in bytes; see proc_pid_statm(5).
func resident(t testing.TB) int64 {
	t.Helper()
	b, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		t.Fatal(err)
	}
	pages, err := strconv.ParseInt(strings.Fields(string(b))[1], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return pages * int64(os.Getpagesize())
}

// peak is the most memory that the process takes while do runs.
func peak(t testing.TB, do func()) int64 {
	t.Helper()
	most := resident(t)
	done := make(chan struct{})
	go func() { defer close(done); do() }()
	for tick := time.NewTicker(5 * time.Millisecond); ; {
		select {
		case <-tick.C:
			most = max(most, resident(t))
		case <-done:
			tick.Stop()
			return max(most, resident(t))
		}
	}
}

// endless gives zeros without taking memory for them.
type endless struct{}

func (endless) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// TestGigabyte streams 1 GiB each way through an app.
func TestGigabyte(t *testing.T) {
	const gigabyte = 1 << 30
	stream := &http.Client{Transport: client.Transport}
	h := start(t, one(`limits = { body = "2GiB", cpu = "1s", timeout = "10m" }`, `
export default {
  async fetch(request) {
    switch (new URL(request.url).pathname) {
    case "/up": { let n = 0; for await (const c of request.body) n += c.length; return new Response(String(n)) }
    case "/echo": return new Response(request.body);
    case "/down": {
      let left = 1 << 30;
      const chunk = new Uint8Array(64 << 10);
      return new Response(new ReadableStream({ pull(c) { c.enqueue(chunk.slice()); if ((left -= chunk.length) === 0) c.close() } }));
    }
    }
  }
}`))
	for _, tc := range []struct {
		target    string
		body      io.Reader
		wantBytes int64
		want      string
	}{
		{"/up", io.LimitReader(endless{}, gigabyte), int64(len(fmt.Sprint(gigabyte))), fmt.Sprint(gigabyte)},
		{"/down", nil, gigabyte, ""},
		{"/echo", io.LimitReader(endless{}, gigabyte), gigabyte, ""},
	} {
		t.Run(tc.target, func(t *testing.T) {
			h.get("test", "/up") // so that the isolate is there, and warm
			before := resident(t)
			most := peak(t, func() {
				res, err := stream.Do(h.request("POST", "test", tc.target, tc.body))
				if err != nil {
					t.Error(err)
					return
				}
				defer res.Body.Close()
				var head bytes.Buffer
				n, err := io.Copy(io.Discard, io.TeeReader(res.Body, &limited{&head, 64}))
				if err != nil || n != tc.wantBytes {
					t.Errorf("got %d bytes, %v; want %d", n, err, tc.wantBytes)
				}
				if tc.want != "" && head.String() != tc.want {
					t.Errorf("got %q, want %q", head.String(), tc.want)
				}
			})
			t.Logf("memory grew by %d MiB", (most-before)>>20)
			if most-before > streamRoom {
				t.Errorf("memory grew by %d MiB, more than %d", (most-before)>>20, streamRoom>>20)
			}
		})
	}
}

// limited keeps the first bytes of what is written.
type limited struct {
	to   *bytes.Buffer
	room int
}

func (l *limited) Write(p []byte) (int, error) {
	l.to.Write(p[:min(len(p), l.room-l.to.Len())])
	return len(p), nil
}

// TestSoak serves many requests and wants memory flat: the last third of them within
// 5 % of the middle third.
func TestSoak(t *testing.T) {
	h := start(t, one("", `
export default {
  async fetch(request) {
    const url = new URL(request.url);
    const body = await request.json();
    await new Promise(r => setTimeout(r, 0));
    return Response.json({ path: url.pathname, n: body.n, agent: request.headers.get("user-agent") });
  }
}`))
	const parts, clients = 3, 16
	var means [parts]float64
	for part := range means {
		var sum, samples int64
		var left atomic.Int64
		left.Store(soakRequests / parts)
		var wg sync.WaitGroup
		for range clients {
			wg.Go(func() {
				for n := left.Add(-1); n >= 0; n = left.Add(-1) {
					res, err := client.Do(h.request("POST", "test", "/soak", strings.NewReader(fmt.Sprintf(`{"n":%d}`, n))))
					if err != nil {
						t.Error(err)
						return
					}
					b, err := io.ReadAll(res.Body)
					res.Body.Close()
					if want := fmt.Sprintf(`{"path":"/soak","n":%d,"agent":"Go-http-client/1.1"}`, n); string(b) != want || err != nil {
						t.Errorf("got %q, %v; want %q", b, err, want)
						return
					}
				}
			})
		}
		done := make(chan struct{})
		go func() { wg.Wait(); close(done) }()
		tick := time.NewTicker(20 * time.Millisecond)
		for running := true; running; {
			select {
			case <-tick.C:
				sum += resident(t)
				samples++
			case <-done:
				running = false
			}
		}
		tick.Stop()
		means[part] = float64(sum) / float64(samples)
		t.Logf("part %d of %d requests: %.1f MiB", part+1, soakRequests/parts, means[part]/(1<<20))
	}
	if means[2] > means[1]*1.05 {
		t.Errorf("memory grows: %.1f MiB in the last third, %.1f MiB in the middle one", means[2]/(1<<20), means[1]/(1<<20))
	}
}

// TestManyApps loads 300 apps and asks each: under 3 MB an app, and in under 10 s.
func TestManyApps(t *testing.T) {
	const apps = 300
	var archive, toml strings.Builder
	for n := range apps {
		fmt.Fprintf(&toml, "[apps.app-%d]\nhosts = [\"app-%d\"]\nroot = \"app-%d\"\n", n, n, n)
		fmt.Fprintf(&archive, "-- app-%d/index.js --\nexport default { fetch: r => new Response(\"%d \" + new URL(r.url).pathname) }\n", n, n)
	}
	small := start(t, one("", `export default { fetch: () => new Response() }`))
	small.get("test", "/")
	before, began := resident(t), time.Now()
	h := start(t, "-- nano.toml --\n"+toml.String()+archive.String())
	loaded := time.Since(began)
	for n := range apps {
		if status, body := h.get(fmt.Sprintf("app-%d", n), "/x"); status != 200 || body != fmt.Sprintf("%d /x", n) {
			t.Fatalf("app %d: got %d %q", n, status, body)
		}
	}
	each := float64(resident(t)-before) / apps / 1e6
	t.Logf("%d apps: loaded in %s, %.2f MB each", apps, loaded.Round(time.Millisecond), each)
	if loaded > loadApps {
		t.Errorf("loading %d apps took %s", apps, loaded)
	}
	if each > mostAnApp {
		t.Errorf("%.2f MB an app", each)
	}
}
