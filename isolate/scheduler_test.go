package isolate

import (
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// newTestScheduler has one turn, and no guard.
func newTestScheduler() *Scheduler {
	return &Scheduler{cores: 1, free: 1, active: map[*Isolate]*turn{}, waiting: map[string][]*waiter{}, wake: make(chan struct{}, 1), ending: make(chan struct{}, 1), shares: map[string]*share{}, leaving: map[*Isolate]bool{}}
}

// TestTurns: apps get their turns one after the other, however many isolates wait.
func TestTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newTestScheduler()
		holder := &Isolate{opts: Options{App: "holder"}}
		s.acquire(holder, func() {})
		var order []string
		for _, app := range []string{"busy", "busy", "busy", "quiet", "other"} {
			i := &Isolate{opts: Options{App: app}}
			go func() {
				s.acquire(i, func() {})
				order = append(order, app) // one at a time: there is one turn
				time.Sleep(time.Millisecond)
				s.release(i, time.Millisecond)
			}()
			synctest.Wait()
		}
		s.release(holder, 0)
		time.Sleep(time.Second)
		synctest.Wait()
		if want := []string{"busy", "quiet", "other", "busy", "busy"}; !slices.Equal(order, want) {
			t.Errorf("turns: %q, want %q", order, want)
		}
		if s.free != 1 || len(s.active) != 0 {
			t.Errorf("%d free, %d active", s.free, len(s.active))
		}
	})
}

// TestShares: ten apps whose runs are long share the core evenly, and one whose runs are
// short waits for no more than the one that runs, for as long as it wants less than they.
func TestShares(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newTestScheduler()
		var stop atomic.Bool
		var mu sync.Mutex // guards ran
		ran := map[string]time.Duration{}
		use := func(app string, took, pause time.Duration) {
			i := &Isolate{opts: Options{App: app}}
			for !stop.Load() {
				s.acquire(i, func() {})
				time.Sleep(took)
				mu.Lock()
				ran[app] += took
				mu.Unlock()
				s.release(i, took)
				time.Sleep(pause)
			}
		}
		const long = 100 * time.Millisecond
		for _, app := range []string{"a", "b", "c", "d", "e", "f", "g", "h", "i", "j"} {
			go use(app, long, 0)
		}
		go use("greedy", long, 0)
		go use("greedy", long, 0)
		time.Sleep(10 * time.Second) // now it is known how long they are
		var longest time.Duration
		for range 100 {
			i := &Isolate{opts: Options{App: "short"}}
			asked := time.Now()
			s.acquire(i, func() {})
			longest = max(longest, time.Since(asked))
			time.Sleep(time.Millisecond)
			s.release(i, time.Millisecond)
			time.Sleep(20 * time.Millisecond)
		}
		if longest > long {
			t.Errorf("the short app waited for %s", longest)
		}
		time.Sleep(100 * time.Second)
		stop.Store(true)
		time.Sleep(10 * time.Second)
		mu.Lock()
		defer mu.Unlock()
		for app, d := range ran {
			if share := d.Seconds() / ran["a"].Seconds(); share < 0.8 || share > 1.25 {
				t.Errorf("%s ran for %s, a for %s", app, d, ran["a"])
			}
		}
	})
}

// TestBeside: an app whose runs are short runs beside one that has all turns, as long as
// it wants less than that one has; then they alternate.
func TestBeside(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newTestScheduler()
		long, short := &Isolate{opts: Options{App: "long"}}, &Isolate{opts: Options{App: "short"}}
		run := func(i *Isolate, took time.Duration) (waited time.Duration) {
			asked := time.Now()
			s.acquire(i, func() {})
			waited = time.Since(asked)
			time.Sleep(took)
			s.release(i, took)
			return waited
		}
		for range 20 { // now it is known how long they are
			run(short, 100*time.Microsecond)
			run(long, 100*time.Millisecond)
		}
		var all sync.WaitGroup
		defer all.Wait()
		all.Go(func() { run(long, 100*time.Millisecond) })
		time.Sleep(10 * time.Millisecond) // long is in virtual time as far ahead
		for n := range 100 {
			if waited := run(short, 100*time.Microsecond); waited != 0 {
				t.Fatalf("run %d waited for %s", n, waited)
			}
			time.Sleep(100 * time.Microsecond)
		}
		if waited := run(short, 50*time.Millisecond); waited != 0 {
			t.Errorf("the one that is long at last waited for %s", waited)
		}
		if waited := run(short, 100*time.Microsecond); waited == 0 {
			t.Error("an app that was long just now didn't wait")
		}
	})
}

// TestLend: a long run lends its turn to those that wait, once, and gives nothing back.
func TestLend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newTestScheduler()
		long, short := &Isolate{opts: Options{App: "long"}}, &Isolate{opts: Options{App: "short"}}
		s.acquire(long, func() {})
		s.lend(long) // nobody waits
		if s.free != 0 {
			t.Fatal("a turn was lent to nobody")
		}
		ran := make(chan struct{})
		go func() { s.acquire(short, func() {}); close(ran) }()
		synctest.Wait()
		s.lend(long)
		s.lend(long)
		<-ran
		s.release(long, time.Second)
		if s.free != 0 {
			t.Error("the lent turn came back while it is in use")
		}
		s.release(short, 0)
		if s.free != 1 {
			t.Errorf("%d turns, want 1", s.free)
		}
	})
}

// TestTimers: what is due comes in the order of its time, and what was cleared doesn't.
func TestTimers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var timers timers
		var rang []uint32
		ring := make(chan struct{}, 10)
		timers.init(func() { ring <- struct{}{} })
		defer timers.stop()
		start := time.Now()
		timers.set(1, start.Add(30*time.Millisecond))
		timers.set(2, start.Add(10*time.Millisecond))
		timers.set(3, start.Add(10*time.Millisecond))
		timers.set(4, start.Add(20*time.Millisecond))
		timers.clear(4)
		for range 2 {
			<-ring
			timers.expired(time.Now(), func(id uint32) { rang = append(rang, id) })
		}
		// The clock may ring once more for what was cleared.
		for len(rang) < 3 {
			<-ring
			timers.expired(time.Now(), func(id uint32) { rang = append(rang, id) })
		}
		if want := []uint32{2, 3, 1}; !slices.Equal(rang, want) {
			t.Errorf("got %d, want %d", rang, want)
		}
		if took := time.Since(start); took != 30*time.Millisecond {
			t.Errorf("the last rang after %s", took)
		}
	})
}
