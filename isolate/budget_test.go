package isolate

import (
	"errors"
	"runtime"
	"testing"
	"time"
)

func TestBudget(t *testing.T) {
	s := NewScheduler(runtime.GOMAXPROCS(0))
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

// TestBudgetSeesRuns: what a run takes is in the books before it ends.
func TestBudgetSeesRuns(t *testing.T) {
	h := newHarness(t)
	i, err := New(Options{
		Snapshot: h.snapshot, Scheduler: h.scheduler, App: "test", Memory: 128 << 20, CPU: time.Minute,
		Handle: func(m *Message) { h.answers <- m.Arg(0).Text() },
		Lost:   func(l Loss) { h.losses <- l },
	})
	if err != nil {
		t.Fatal(err)
	}
	defer i.Close()
	code := `const kept = []; export default x => {
		for (let n = 0; n < 20; n++) kept.push(new Array(1 << 18).fill(n + 0.5));
		for (const end = Date.now() + 1000; Date.now() < end;);
		return "done";
	}`
	if _, err := i.Load(t.Context(), Module{Code: []byte(code), Name: "app.js", Env: "{}"}); err != nil {
		t.Fatal(err)
	}
	i.Send(InRequest, 1)
	var most int64
	for {
		select {
		case <-h.answers:
			if most < 40<<20 || i.Memory().Reserved < 40<<20 {
				t.Errorf("while it ran the books had %d bytes, afterwards %d", most, i.Memory().Reserved)
			}
			return
		case l := <-h.losses:
			t.Fatalf("lost: %+v", l)
		case <-time.After(time.Millisecond):
			most = max(most, h.scheduler.Budget().Reserved)
		}
	}
}
