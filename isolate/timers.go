package isolate

import (
	"container/heap"
	"time"
)

// timers are the timers of one isolate: a heap by time, and one runtime timer for the
// earliest. The isolate's lock guards them.
type timers struct {
	byTime timerHeap
	byID   map[uint32]*timer
	clock  *time.Timer
	armed  time.Time // when the clock rings; zero: it doesn't
	order  uint64
}

type timer struct {
	id    uint32
	at    time.Time
	order uint64 // of two with one time, the older comes first
	index int
}

func (t *timers) init(expire func()) {
	t.byID = make(map[uint32]*timer)
	t.clock = time.AfterFunc(time.Hour, expire)
	t.clock.Stop()
}

func (t *timers) set(id uint32, at time.Time) {
	t.clear(id)
	t.order++
	e := &timer{id: id, at: at, order: t.order}
	t.byID[id] = e
	heap.Push(&t.byTime, e)
	t.arm()
}

func (t *timers) clear(id uint32) {
	if e, ok := t.byID[id]; ok {
		delete(t.byID, id)
		heap.Remove(&t.byTime, e.index)
		// The clock may ring for nothing; cheaper than to set it anew.
	}
}

// expired removes the timers that are due at now, oldest first.
func (t *timers) expired(now time.Time, each func(id uint32)) {
	t.armed = time.Time{}
	for len(t.byTime) > 0 && !t.byTime[0].at.After(now) {
		e := heap.Pop(&t.byTime).(*timer)
		delete(t.byID, e.id)
		each(e.id)
	}
	t.arm()
}

func (t *timers) arm() {
	if len(t.byTime) == 0 {
		return
	}
	if first := t.byTime[0].at; t.armed.IsZero() || first.Before(t.armed) {
		t.armed = first
		t.clock.Reset(time.Until(first))
	}
}

func (t *timers) stop() {
	t.clock.Stop()
	t.byTime, t.byID = nil, map[uint32]*timer{}
}

type timerHeap []*timer

func (h timerHeap) Len() int { return len(h) }

func (h timerHeap) Less(a, b int) bool {
	if h[a].at.Equal(h[b].at) {
		return h[a].order < h[b].order
	}
	return h[a].at.Before(h[b].at)
}

func (h timerHeap) Swap(a, b int) {
	h[a], h[b] = h[b], h[a]
	h[a].index, h[b].index = a, b
}

func (h *timerHeap) Push(x any) {
	e := x.(*timer)
	e.index = len(*h)
	*h = append(*h, e)
}

func (h *timerHeap) Pop() any {
	old := *h
	e := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	return e
}
