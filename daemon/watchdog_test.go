package daemon

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"slices"
	"strconv"
	"testing"
	"testing/synctest"
	"time"
)

func TestWatchdog(t *testing.T) {
	tests := []struct {
		name  string
		probe func(start time.Time) func(context.Context) error
		want  []time.Duration // when it is fed in the first 100 seconds of 30 each
	}{
		{"well", func(time.Time) func(context.Context) error {
			return func(context.Context) error { return nil }
		}, []time.Duration{0, 15, 30, 45, 60, 75, 90}},
		{"fails for a moment", func(start time.Time) func(context.Context) error {
			return func(context.Context) error {
				if d := time.Since(start); d > 10*time.Second && d < 20*time.Second {
					return errors.New("hiccup")
				}
				return nil
			}
		}, []time.Duration{0, 21, 36, 51, 66, 81, 96}},
		{"stuck", func(start time.Time) func(context.Context) error {
			return func(context.Context) error {
				if time.Since(start) > 40*time.Second {
					time.Sleep(time.Hour) // it doesn't even look at ctx
				}
				return nil
			}
		}, []time.Duration{0, 15, 30}},
		{"slow", func(time.Time) func(context.Context) error {
			return func(ctx context.Context) error {
				<-ctx.Done()
				return ctx.Err()
			}
		}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got []time.Duration
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), 100*time.Second)
				defer cancel()
				start := time.Now()
				watchdog(ctx, slog.New(slog.DiscardHandler), 30*time.Second, []Probe{
					{"good", func(context.Context) error { return nil }},
					{"other", tt.probe(start)},
				}, func() { got = append(got, time.Since(start)/time.Second) })
				time.Sleep(2 * time.Hour) // for those that are stuck
			})
			if !slices.Equal(got, tt.want) {
				t.Errorf("fed at %d s, want %d s", got, tt.want)
			}
		})
	}
}

func TestWatchdogInterval(t *testing.T) {
	tests := []struct {
		name, usec, pid string
		want            time.Duration
	}{
		{"none", "", "", 0},
		{"ours", "30000000", strconv.Itoa(os.Getpid()), 30 * time.Second},
		{"an older generation's", "30000000", "", 30 * time.Second},
		{"another process's", "30000000", "1", 0},
		{"malformed", "x", "", 0},
		{"negative", "-1", "", 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Setenv("WATCHDOG_USEC", tt.usec)
			t.Setenv("WATCHDOG_PID", tt.pid)
			if got := watchdogInterval(); got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
			if os.Getenv("WATCHDOG_PID") != "" {
				t.Error("the next generation will think that it isn't meant")
			}
		})
	}
}

func TestPace(t *testing.T) {
	limits := times{tick: time.Second, window: 10 * time.Second, progress: 100}
	tests := []struct {
		name    string
		waiting func(tick int) bool
		rate    int64 // bytes a tick
		want    int   // the tick at which it is too slow; 0: never
	}{
		{"nothing comes", func(int) bool { return true }, 0, 10},
		{"little comes", func(int) bool { return true }, 9, 10},
		{"enough comes", func(int) bool { return true }, 10, 0},
		{"nobody waits", func(int) bool { return false }, 0, 0},
		{"somebody waits now and then", func(tick int) bool { return tick%5 == 0 }, 3, 0},
		{"somebody waits often", func(tick int) bool { return tick%2 == 0 }, 3, 20},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var p pace
			var total int64
			got := 0
			for tick := 1; tick <= 100 && got == 0; tick++ {
				total += tt.rate
				if p.tooSlow(tt.waiting(tick), total, limits) {
					got = tick
				}
			}
			if got != tt.want {
				t.Errorf("too slow at tick %d, want %d", got, tt.want)
			}
		})
	}
}

func TestStatusHasOneLine(t *testing.T) {
	if got, want := status("a\nb:\tc\r\nREADY=1"), "STATUS=a; b:; c; READY=1"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
