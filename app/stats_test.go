package app

import (
	"testing"
	"time"
)

// BenchmarkCounting is what the metrics cost a request.
func BenchmarkCounting(b *testing.B) {
	var s stats
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			s.last.Store(time.Now().UnixNano())
			s.done(200, 300*time.Microsecond)
		}
	})
}

func TestStats(t *testing.T) {
	var s stats
	for _, status := range []int{0, 200, 200, 404, 599, 600, 999} {
		s.done(status, time.Millisecond)
	}
	a := &App{Name: "a"}
	a.stats.done(0, time.Minute)
	a.stats.done(200, 0)
	a.stats.done(503, time.Second)
	got := a.Stats()
	if got.Answered != 3 || got.Errors() != 2 || got.Requests[0] != 1 || got.Requests[503] != 1 {
		t.Errorf("%+v", got)
	}
	if got.Latency[1] != 2 || got.Latency[30] != 2 || got.LatencySum != 61 {
		t.Errorf("latency %v, %v s in all", got.Latency, got.LatencySum)
	}
	// A hundred a second for long is a rate of a hundred.
	for range 100 {
		for range 100 {
			s.done(200, 0)
		}
		s.tick()
	}
	a.stats.rate.Store(s.rate.Load())
	if r := a.Stats().Rate; r < 99 || r > 101 {
		t.Errorf("rate %v", r)
	}
	for range 200 {
		s.tick()
	}
	if r := s.rate.Load(); r != 0 {
		t.Errorf("the rate never gets to 0: %v", r)
	}
	// A counter never falls.
	if s.shown(5) != 5 || s.shown(3) != 5 || s.shown(7) != 7 {
		t.Error("the time that ran fell")
	}
}
