package isolate

import (
	"errors"
	"testing"
)

func TestBudget(t *testing.T) {
	s := NewScheduler()
	defer s.Close()
	s.maxIsolates, s.maxReserved = 3, 10*newReserved
	var is []*Isolate
	admit := func(want error) {
		t.Helper()
		i := &Isolate{}
		if err := s.admit(i); !errors.Is(err, want) {
			t.Fatalf("admit: %v, want %v", err, want)
		}
		is = append(is, i)
	}
	admit(nil)
	admit(nil)
	admit(nil)
	admit(ErrNoRoom) // the fourth
	s.forget(is[0])
	s.charge(is[0], 5*newReserved) // gone: it counts no more
	admit(nil)
	s.forget(is[1])
	s.charge(is[2], 9*newReserved)
	admit(ErrNoRoom) // with is[4] there is no byte left
	s.charge(is[2], 8*newReserved)
	admit(nil)
	if b := s.Budget(); b.Isolates != 3 || b.Reserved != 10*newReserved || b.Refused != 2 || b.Used() != 1 {
		t.Errorf("the books say %+v", b)
	}
}
