package control

import (
	"sync"
	"time"
)

// Event is something that happened to an app or to all of them.
type Event struct {
	ID      int64     `json:"id"` // counts up in a process
	Time    time.Time `json:"time"`
	Type    string    `json:"type"`
	App     string    `json:"app,omitempty"`
	Version int       `json:"version,omitempty"` // that serves now
	Text    string    `json:"text,omitempty"`
	By      string    `json:"by,omitempty"`
}

// The types of events, beside those of package app.
const (
	EventAdded   = "added"
	EventChanged = "changed"
	EventRemoved = "removed"
	EventFailed  = "failed"
	EventReload  = "reload" // a change came to its end
	EventLost    = "lost"   // the subscriber was too slow, and missed some
)

// subscription bounds how many events wait for a subscriber.
const subscription = 256

// Subscription gets events until it is closed.
type Subscription struct {
	C <-chan Event // closed when the controller is

	events *events
	c      chan Event
	lost   bool
}

// events gives events to all that subscribed. It never waits for one of them.
type events struct {
	mu     sync.Mutex // guards the fields below, and Subscription.lost
	last   int64
	subs   map[*Subscription]struct{}
	closed bool
}

func (e *events) publish(ev Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.last++
	ev.ID, ev.Time = e.last, time.Now().Round(time.Millisecond)
	for s := range e.subs {
		if s.lost {
			lost := Event{ID: ev.ID, Time: ev.Time, Type: EventLost, Text: "events were lost: read the state anew"}
			if !s.offer(lost) {
				continue
			}
			s.lost = false
		}
		s.lost = !s.offer(ev)
	}
}

func (s *Subscription) offer(ev Event) bool {
	select {
	case s.c <- ev:
		return true
	default:
		return false
	}
}

// Subscribe gives all events from now on. Close it when it is no longer read.
func (c *Controller) Subscribe() *Subscription {
	e := &c.events
	e.mu.Lock()
	defer e.mu.Unlock()
	ch := make(chan Event, subscription)
	s := &Subscription{C: ch, c: ch, events: e}
	if e.closed {
		close(ch)
		return s
	}
	if e.subs == nil {
		e.subs = make(map[*Subscription]struct{})
	}
	e.subs[s] = struct{}{}
	return s
}

// Close ends the subscription.
func (s *Subscription) Close() {
	s.events.mu.Lock()
	defer s.events.mu.Unlock()
	delete(s.events.subs, s)
}

func (e *events) close() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.closed = true
	for s := range e.subs {
		close(s.c)
		delete(e.subs, s)
	}
}
