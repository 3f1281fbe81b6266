package isolate

import "errors"

// All isolates of a process share one cage of 4 GiB for their heaps. Where that is
// full, V8 ends whoever allocates next, or the process: so there is a budget that stays
// well below. Array buffers are outside of the cage.
const (
	// maxIsolates is how many isolates a process has at the most: some 2,000 empty ones
	// fill the cage.
	maxIsolates = 1500
	// maxReserved is how much the heaps may take of the cage together, in bytes. The rest
	// is for what runs between two looks at it.
	maxReserved = 3 << 30
	// newReserved is what an isolate counts for until it is measured, in bytes.
	newReserved = 2 << 20
)

// ErrNoRoom is why New can't make an isolate just now.
var ErrNoRoom = errors.New("the process has no room for another isolate: its heap budget is used up")

// Budget is what the isolates of a process share, and what is used of it.
type Budget struct {
	Isolates, MaxIsolates int
	Reserved, MaxReserved int64  // bytes of V8's heaps, those of lost isolates included
	Refused               uint64 // isolates that there was no room for
}

// Used is the part of the budget that is used, of what is scarcer: 1 is all.
func (b Budget) Used() float64 {
	return max(float64(b.Isolates)/float64(b.MaxIsolates), float64(b.Reserved)/float64(b.MaxReserved))
}

// Less is the budget as it will be when some isolates that hold so many bytes are gone.
func (b Budget) Less(isolates int, reserved int64) Budget {
	b.Isolates -= isolates
	b.Reserved -= reserved
	return b
}

// Budget says how much is used.
func (s *Scheduler) Budget() Budget {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.budgetLocked()
}

func (s *Scheduler) budgetLocked() Budget {
	return Budget{len(s.all), s.maxIsolates, s.reserved, s.maxReserved, s.refused}
}

// Settled is the budget as it will be when those isolates are gone that are closed by now.
func (s *Scheduler) Settled() Budget {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.budgetLocked()
	for i := range s.leaving {
		b = b.Less(1, s.all[i])
	}
	return b
}

// admit makes room for i in the books, or says that there is none.
func (s *Scheduler) admit(i *Isolate) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.budgetLocked().Less(-1, -newReserved).Used() > 1 {
		s.refused++
		return ErrNoRoom
	}
	s.all[i] = newReserved
	s.reserved += newReserved
	return nil
}

// charge notes what i's heap takes of the cage, in bytes.
func (s *Scheduler) charge(i *Isolate, reserved int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if had, ok := s.all[i]; ok {
		s.all[i] = reserved
		s.reserved += reserved - had
	}
}

func (s *Scheduler) forget(i *Isolate) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reserved -= s.all[i]
	delete(s.all, i)
	delete(s.leaving, i)
}
