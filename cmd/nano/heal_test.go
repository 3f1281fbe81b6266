package main

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"
)

func TestHeal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		var at []time.Duration
		h := &healer{began: began, log: slog.New(slog.DiscardHandler), replace: func(context.Context) error {
			if at = append(at, time.Since(began)); len(at) < 2 {
				return errors.New("it does not get ready")
			}
			return nil
		}}
		time.Sleep(time.Second)
		for n := range 5 {
			h.threadLost(t.Context(), n+1)
		}
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		want := []time.Duration{healAfter, healAfter + healAgain}
		if len(at) != 2 || at[0] != want[0] || at[1] != want[1] {
			t.Errorf("replaced after %v, want %v", at, want)
		}
	})
}
