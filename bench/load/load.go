// Package load is the benchmark's load generator: an HTTP/1.1 client that costs
// so little that what it measures is the server. One thread drives all
// connections through epoll, with requests that were serialised before and a
// parser that looks at what it must. It knows two ways to load a server: as fast
// as its connections answer, and at a fixed rate whatever the server does.
//
// It owns no processes and judges nothing but the status and the length of an
// answer: that answers are right is checked before, with a real client.
package load

import (
	"context"
	"fmt"
	"net/netip"
	"time"
)

// A Plan says what to send, where, and how.
type Plan struct {
	Addr      netip.AddrPort
	Requests  [][]byte // serialised; sent in turn
	Conns     int
	KeepAlive bool // false: a connection a request; the requests then say "Connection: close"

	// Rate is how many requests a second are sent, evenly spaced, whether or
	// not the ones before are answered; latencies count from when a request was
	// due, also if it had to wait for a free connection. 0: each connection
	// sends as soon as it has its answer.
	Rate float64

	For   time.Duration // how long requests are sent
	Count int           // and how many at most; 0: no such bound

	Status int // of every answer; another is an error
	Body   int // length of every answer's body in bytes; -1: any
}

// A Result is what came of a plan.
type Result struct {
	Done       int // right answers, those after the end of For included
	Errors     int
	FirstError error
	Throughput float64 // right answers a second, while requests were sent
	Latency    Histogram
	Busy       float64 // share of one core that the generator itself used
}

// drainTime is how long answers may take after the last request was sent.
const drainTime = 10 * time.Second

// Run carries out a plan. It returns an error if it could not be carried out at
// all; single requests that fail are in the result.
func Run(ctx context.Context, plan Plan) (*Result, error) {
	if len(plan.Requests) == 0 || plan.Conns <= 0 || plan.For <= 0 {
		return nil, fmt.Errorf("a plan needs requests, connections and a duration: %d, %d, %v", len(plan.Requests), plan.Conns, plan.For)
	}
	g, err := newGenerator(plan)
	if err != nil {
		return nil, fmt.Errorf("cannot load %v: %w", plan.Addr, err)
	}
	defer g.close()
	if err := g.run(ctx); err != nil {
		return nil, fmt.Errorf("cannot load %v: %w", plan.Addr, err)
	}
	return &g.result, nil
}
