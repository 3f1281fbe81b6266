package app

import (
	"errors"
	"math"
	"slices"
	"time"

	"github.com/nano-runtime/nano/bundle"
	"github.com/nano-runtime/nano/config"
)

// Info is an app at one moment, for those who look at it from outside.
type Info struct {
	Name    string
	State   State
	Problem error // why it can't serve, or why its last change failed
	// Config is what the app was last asked to be; where Problem is set it may run
	// something older.
	Config   config.App
	Version  Version       // that serves; zero: none does
	Versions []Version     // oldest first
	Banned   time.Duration // what is left of a quarantine
	// Quarantine is what the next process should know of it, and of what led there; nil:
	// nothing.
	Quarantine *Quarantine
	// Sources are the files that the app is made of, and those that might mend it.
	Sources []string
	Stats   Stats
}

// Stats is what an app does, and did since the process began.
type Stats struct {
	Requests map[int]uint64 // by status; 0: no response
	Rate     float64        // requests a second, of late
	// Latency has the number of requests that took no longer than its key, in seconds.
	Latency    map[float64]uint64
	LatencySum float64           // seconds
	Answered   uint64            // requests that are over: as many as Latency counts, and the slower ones
	InFlight   int               // requests in the app
	Waiting    int               // requests in line before it
	Waits      uint64            // requests that stood in line
	Waited     time.Duration     // how long, all together
	Limits     map[string]uint64 // limits hit, by name
	Exceptions uint64
	ColdStarts uint64
	ColdTime   time.Duration // what they took, all together
	Lost       uint64        // threads that its code cost the process
	Last       time.Time     // when the last request came; zero: none did

	Isolates int
	Heap     int64         // bytes
	Reserved int64         // bytes that the heap takes of the process
	Buffers  int64         // bytes outside the heap
	CPU      time.Duration // that JavaScript ran
}

// Errors is how many requests ended without a response, or with a status from 500 on.
func (s *Stats) Errors() (n uint64) {
	for status, c := range s.Requests {
		if status == 0 || status >= 500 {
			n += c
		}
	}
	return n
}

// Info looks at the app.
func (a *App) Info() Info {
	now := time.Now()
	i := Info{Name: a.Name, Stats: a.Stats(), Banned: a.quarantine.left(now), Quarantine: a.quarantine.record(now)}
	i.State, i.Problem = a.State()
	if r := a.current.Load(); r != nil {
		i.Version = r.known()
		i.Sources = r.module.sources()
	}
	var broken *bundle.Error
	if errors.As(i.Problem, &broken) {
		i.Sources = slices.Concat(i.Sources, broken.Inputs)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	i.Config = a.cfg
	i.Versions = slices.Clone(a.versions)
	return i
}

// Pardon ends the app's quarantine.
func (a *App) Pardon() { a.quarantine.lift() }

// Stats reads the app's counters.
func (a *App) Stats() Stats {
	s := &a.stats
	out := Stats{
		Requests:   make(map[int]uint64),
		Rate:       math.Float64frombits(s.rate.Load()),
		Latency:    make(map[float64]uint64, len(buckets)),
		LatencySum: time.Duration(s.latencySum.Load()).Seconds(),
		Waits:      s.waits.Load(),
		Waited:     time.Duration(s.queued.Load()),
		Limits:     make(map[string]uint64, limits),
		Exceptions: s.exceptions.Load(),
		ColdStarts: s.coldStarts.Load(),
		ColdTime:   time.Duration(s.coldNanos.Load()),
		Lost:       s.parked.Load(),
	}
	out.InFlight, out.Waiting = a.gate.count()
	if last := s.last.Load(); last != 0 {
		out.Last = time.Unix(0, last)
	}
	for i := range s.codes {
		page := s.codes[i].Load()
		if page == nil {
			continue
		}
		for j := range page {
			if n := page[j].Load(); n > 0 {
				out.Requests[i*100+j] = n
			}
		}
	}
	var sum uint64
	for i, bound := range buckets {
		sum += s.latency[i].Load()
		out.Latency[bound] = sum
	}
	out.Answered = sum + s.latency[len(buckets)].Load()
	for l := range limits {
		out.Limits[l.String()] = s.hits[l].Load()
	}
	ran := s.cpu.Load()
	if r := a.current.Load(); r != nil {
		ws := *r.workers.Load()
		out.Isolates = len(ws)
		for _, w := range ws {
			ran += int64(w.isolate.Busy())
		}
		m := r.memory()
		out.Heap, out.Reserved, out.Buffers = m.Heap, m.Reserved, m.Buffers
	}
	out.CPU = time.Duration(s.shown(ran))
	return out
}

// shown is ran, or what was shown before if that is more: between an isolate's end and
// the count of what it ran a counter would fall.
func (s *stats) shown(ran int64) int64 {
	for {
		before := s.cpuShown.Load()
		if before >= ran {
			return before
		}
		if s.cpuShown.CompareAndSwap(before, ran) {
			return ran
		}
	}
}

// LostThreads is how many threads the process has lost to apps for good.
func (s *Set) LostThreads() int { return int(s.threads.Load()) }
