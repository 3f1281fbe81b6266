package app

import (
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
	codes      [6]atomic.Uint64 // by the first digit of the status; 0: no response
	latency    [len(buckets) + 1]atomic.Uint64
	latencySum atomic.Int64 // ns
	queued     atomic.Int64 // ns spent in the queue
	hits       [limits]atomic.Uint64
	exceptions atomic.Uint64
	coldStarts atomic.Uint64
	coldNanos  atomic.Int64
	parked     atomic.Uint64
	last       atomic.Int64 // when the last request came, Unix ns
}

func (s *stats) done(status int, took time.Duration) {
	s.codes[min(max(status/100, 0), 5)].Add(1)
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

func (s *stats) coldStart(took time.Duration) {
	s.coldStarts.Add(1)
	s.coldNanos.Add(int64(took))
}
