package webapi

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/nano-runtime/nano/isolate"
)

// browserHeader is what a browser sends with every request.
const browserHeader = "host\napp.example\n" +
	"user-agent\nMozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36\n" +
	"accept\ntext/html,application/xhtml+xml;q=0.9,*/*;q=0.8\naccept-encoding\ngzip, deflate, br\n" +
	"accept-language\nen-US,en;q=0.5\ncookie\nsession=1234567890; theme=dark\n"

// BenchmarkRequest is what one request costs in JavaScript, 16 to a crossing: the message in, the handler, the message
// out. It is the lower quartile: what the machine does besides should not count.
func BenchmarkRequest(b *testing.B) {
	for _, bench := range []struct{ name, body string }{
		{"constant", `return new Response("hi")`},
		{"hello", `const u = new URL(request.url); return new Response("hi " + u.pathname)`},
		{"header", `return new Response(request.headers.get("user-agent"))`},
		{"json", `return Response.json({ a: 1, b: "x" }, { headers: { "x-y": "z" } })`},
		{"html", `return new Response("<p>", { headers: { "content-type": "text/html", "cache-control": "no-store" } })`},
		{"signal", `return new Response(String(request.signal.aborted))`},
	} {
		b.Run(bench.name, func(b *testing.B) {
			a := handler(b, bench.body)
			const batch = 16
			var urls [1000]string
			for i := range urls {
				urls[i] = fmt.Sprintf("http://app.example/users/%d?page=2", i)
			}
			id := uint32(1)
			round := func() {
				last := &answer{ended: make(chan struct{}), done: make(chan struct{})}
				a.mu.Lock()
				for i := range uint32(batch) {
					a.answers[id+i] = &answer{ended: make(chan struct{}), done: make(chan struct{})}
				}
				a.answers[id+batch-1] = last
				a.mu.Unlock()
				for range batch {
					a.isolate.Send(isolate.InRequest, id, isolate.Text("GET"), isolate.Text(urls[id%1000]),
						isolate.Latin1(browserHeader), isolate.Undefined())
					id++
				}
				<-last.done
				a.mu.Lock()
				clear(a.answers)
				a.mu.Unlock()
			}
			for range 2000 {
				round()
			}
			times := make([]time.Duration, b.N)
			b.ResetTimer()
			for i := range times {
				before := a.isolate.Busy()
				round()
				times[i] = a.isolate.Busy() - before
			}
			// Rounds in which another process had the core are left out.
			slices.Sort(times)
			b.ReportMetric(float64(times[len(times)/4].Nanoseconds())/batch, "ns/request")
			b.ReportMetric(0, "ns/op")
		})
	}
}
