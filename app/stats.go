package app

import (
	"math"
	"sync/atomic"
	"time"
)

// limit is a kind of limit that a request can hit.
type limit int

const (
	limitMemory limit = iota
	limitCPU
	limitTimeout
	limitConcurrency
	limitBody
	limitWaitUntil
	limits // how many there are
)

// String is the name in metrics and logs.
func (l limit) String() string {
	return [...]string{"memory", "cpu", "timeout", "concurrency", "body", "wait_until"}[l]
}

// buckets are the upper bounds of the latency histogram, in seconds.
var buckets = [...]float64{0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30}

// stats counts what an app does. All of it is atomic: requests pay no lock.
type stats struct {
	// codes has a page for each first digit of a status that was ever sent; status 0
	// stands for no response.
	codes      [10]atomic.Pointer[[100]atomic.Uint64]
	latency    [len(buckets) + 1]atomic.Uint64
	latencySum atomic.Int64  // ns
	queued     atomic.Int64  // ns spent in the queue
	waits      atomic.Uint64 // requests that had to queue
	hits       [limits]atomic.Uint64
	exceptions atomic.Uint64
	coldStarts atomic.Uint64
	coldNanos  atomic.Int64
	parked     atomic.Uint64
	last       atomic.Int64 // when the last request came, Unix ns
	cpu        atomic.Int64 // ns that JavaScript ran in isolates that are gone
	cpuShown   atomic.Int64 // the most that was ever reported: a counter never falls

	seen uint64        // requests at the last tick; the set's sweep owns it
	rate atomic.Uint64 // requests/s of late, the bits of a float64
}

func (s *stats) done(status int, took time.Duration) {
	page := &s.codes[status/100%len(s.codes)]
	p := page.Load()
	if p == nil {
		page.CompareAndSwap(nil, new([100]atomic.Uint64))
		p = page.Load()
	}
	p[status%100].Add(1)
	s.latencySum.Add(int64(took))
	sec := took.Seconds()
	for i, b := range buckets {
		if sec <= b {
			s.latency[i].Add(1)
			return
		}
	}
	s.latency[len(buckets)].Add(1)
}

// queue notes that a request waited for its turn.
func (s *stats) queue(wait time.Duration) {
	s.waits.Add(1)
	s.queued.Add(int64(wait))
}

// rateWindow is over how long the rate of requests is smoothed, in ticks.
const rateWindow = 10

// tick moves the rate on by one tick of a second.
func (s *stats) tick() {
	var total uint64
	for i := range s.latency {
		total += s.latency[i].Load()
	}
	delta := float64(total - s.seen)
	s.seen = total
	rate := math.Float64frombits(s.rate.Load())
	rate += (delta - rate) / rateWindow
	if rate < 0.01 {
		rate = 0
	}
	s.rate.Store(math.Float64bits(rate))
}

func (s *stats) coldStart(took time.Duration) {
	s.coldStarts.Add(1)
	s.coldNanos.Add(int64(took))
}
