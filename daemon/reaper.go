package daemon

import (
	"context"
	"net/http"
	"sync/atomic"
	"time"
)

// times bound how long clients may take. They are judged once a tick, so anything may
// take a tick longer.
type times struct {
	tick   time.Duration
	head   time.Duration // for a head, from its first byte on, or for that byte
	idle   time.Duration // between requests
	linger time.Duration // for closing after the last response
	// A client that we wait for must have sent, or taken, as many bytes in that much
	// waiting.
	window   time.Duration
	progress int64
}

func defaultTimes() times {
	return times{
		tick:     250 * time.Millisecond,
		head:     10 * time.Second,
		idle:     75 * time.Second,
		linger:   2 * time.Second,
		window:   20 * time.Second,
		progress: 1024,
	}
}

// watch is what the reaper remembers of a connection from tick to tick.
type watch struct {
	phase uint64       // as it was at the last tick
	ticks atomic.Int32 // how many it has been in it
	body  pace
	write pace
}

// pace measures the progress of one direction while it is waited for.
type pace struct {
	ticks int   // of waiting in this window
	mark  int64 // bytes at the window's beginning
}

// tooSlow counts one tick. waiting says whether we waited for the client at it, and
// total how many bytes have moved so far.
func (p *pace) tooSlow(waiting bool, total int64, t times) bool {
	if !waiting {
		return false
	}
	if p.ticks++; time.Duration(p.ticks)*t.tick < t.window {
		return false
	}
	slow := total-p.mark < t.progress
	p.ticks, p.mark = 0, total
	return slow
}

// reap looks after all connections until ctx ends: it gives up those that take too
// long, notices clients that went away, and keeps the date.
func (f *Front) reap(ctx context.Context) {
	ticker := time.NewTicker(f.times.tick)
	defer ticker.Stop()
	var conns []*conn
	for {
		conns = f.list(conns[:0])
		for _, c := range conns {
			f.inspect(c)
		}
		clear(conns)
		f.setDate(time.Now())
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// inspect judges one connection, once a tick.
func (f *Front) inspect(c *conn) {
	w := &c.watch
	word := c.phase.Load()
	if word != w.phase {
		w.phase = word
		w.ticks.Store(0)
		w.body = pace{mark: c.received.Load()}
		w.write = pace{mark: c.sent.Load()}
	} else {
		w.ticks.Add(1)
	}
	been := time.Duration(w.ticks.Load()) * f.times.tick
	switch phase(word & phaseMask) {
	case phaseFresh, phaseHead:
		if been >= f.times.head || f.graceOver() && phase(word&phaseMask) == phaseFresh {
			c.expire(word)
		}
	case phaseIdle:
		if been >= f.times.idle || f.graceOver() {
			c.expire(word)
		}
	case phaseLinger:
		if been >= f.times.linger {
			c.expire(word)
		}
	case phaseBusy:
		if w.body.tooSlow(c.waitBody.Load(), c.received.Load(), f.times) {
			c.slowBody.Store(true)
			c.sock.interruptRead()
		}
		if w.write.tooSlow(c.waitWrite.Load(), c.sent.Load(), f.times) {
			c.sock.interruptWrite()
		}
		if w.ticks.Load() > 0 && c.sock.isHungUp() {
			c.leave()
		}
	}
}

// setDate keeps the value of the Date field.
func (f *Front) setDate(now time.Time) {
	date := now.UTC().Format(http.TimeFormat)
	if old := f.date.Load(); old == nil || *old != date {
		f.date.Store(&date)
	}
}
