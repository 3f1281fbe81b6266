package journal

import (
	"io"
	"sync"
)

// maxQueued is how many bytes of lines wait for a slow reader before more are
// dropped.
const maxQueued = 4 << 20

// A sink takes lines: data, in which the ends say where each of them ends. It
// returns how many are lost.
type sink interface {
	write(data []byte, ends []int) (lost int)
	close() error
}

// A queue keeps those who log from waiting for those who read.
type queue struct {
	wake chan struct{}

	mu      sync.Mutex // guards the fields below
	data    []byte
	ends    []int
	dropped int
	closed  bool
}

func newQueue() *queue {
	return &queue{wake: make(chan struct{}, 1)}
}

// Write queues one line. It never fails and never waits.
func (q *queue) Write(line []byte) (int, error) {
	q.mu.Lock()
	if q.closed || len(q.data)+len(line) > maxQueued {
		q.dropped++
	} else {
		q.data = append(q.data, line...)
		q.ends = append(q.ends, len(q.data))
	}
	q.mu.Unlock()
	select {
	case q.wake <- struct{}{}:
	default:
	}
	return len(line), nil
}

func (q *queue) close() {
	q.mu.Lock()
	q.closed = true
	q.mu.Unlock()
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// run writes lines to the sink until the queue is closed and empty. How many
// were dropped or lost is told to say once lines get through again.
func (q *queue) run(s sink, say func(lines int)) {
	var data []byte
	var ends []int
	missing := 0
	for range q.wake {
		for {
			q.mu.Lock()
			data, q.data = q.data, data[:0]
			ends, q.ends = q.ends, ends[:0]
			closed := q.closed
			missing += q.dropped
			q.dropped = 0
			q.mu.Unlock()
			if len(ends) == 0 {
				if closed {
					return
				}
				break
			}
			if lost := s.write(data, ends); lost > 0 {
				missing += lost
			} else if missing > 0 && !closed {
				say(missing)
				missing = 0
			}
			// A flood's buffer isn't kept for quiet times.
			if cap(data) > maxQueued/4 {
				data = nil
			}
		}
	}
}

// A stream is a sink for lines that are told apart by their line feeds.
type stream struct{ w io.Writer }

func (s stream) write(data []byte, ends []int) (lost int) {
	if _, err := s.w.Write(data); err != nil {
		return len(ends)
	}
	return 0
}

func (stream) close() error { return nil }
