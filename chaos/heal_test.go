package chaos

import (
	"context"
	"fmt"
	"testing"
	"time"
)

// TestQuarantineOutlivesTheProcess has an app cost the process threads until a new
// generation takes over: there the app is in quarantine from the beginning.
func TestQuarantineOutlivesTheProcess(t *testing.T) {
	const name = "memory-optimised-loop"
	s := serve(t, name)
	l := good(s)
	before, err := s.shape()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var o outcomes
	done := make(chan struct{})
	go func() {
		o.hit(ctx, s, name, parallel)
		close(done)
	}()
	s.until("a new generation keeps the app out", time.Minute, func() error {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		now, err := s.client().Status(ctx)
		if err != nil {
			return err
		}
		a, err := s.client().App(ctx, name)
		if err != nil {
			return err
		}
		if now.PID == before.pid || a.State != "quarantined" || a.Limits["memory"] > 0 || now.LostThreads > 0 {
			return fmt.Errorf("process %d, after %d, has lost %d threads; the app is %s for %.0f s, and hit its limits %v", now.PID, before.pid, now.LostThreads, a.State, a.Banned, a.Limits)
		}
		t.Logf("process %d, after %d: the app is %s for %.0f s more", now.PID, before.pid, a.State, a.Banned)
		return nil
	})
	cancel()
	<-done
	l.end(t)
	o.check(t)
	t.Logf("the hostile app's clients got %s", &o)
}
