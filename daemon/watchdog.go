package daemon

import (
	"context"
	"fmt"
	"log/slog"
	"time"
)

// Probe checks that a part of the program really makes progress: it does what that part
// is there for and returns nil when it came to an end. It is called over and over.
type Probe struct {
	Name string
	Run  func(ctx context.Context) error
}

// watchdog calls ping twice an interval, each time only after every probe has
// succeeded. It retries a probe that failed more often, so that one hiccup doesn't end
// the process, and returns when ctx ends.
func watchdog(ctx context.Context, log *slog.Logger, interval time.Duration, probes []Probe, ping func()) {
	period := interval / 2
	retry := interval / 10
	for {
		wait := period
		if err := probeAll(ctx, probes, period); err == nil {
			ping()
		} else if ctx.Err() == nil {
			log.Error("the watchdog is not fed", "error", err)
			wait = retry
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
	}
}

// probeAll runs the probes at the same time. It doesn't wait for one that ignores ctx:
// that one is stuck, and that is what it is to tell.
func probeAll(ctx context.Context, probes []Probe, limit time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	results := make(chan error, len(probes))
	for _, p := range probes {
		go func() {
			err := p.Run(ctx)
			if err != nil {
				err = fmt.Errorf("%s: %w", p.Name, err)
			}
			results <- err
		}()
	}
	for range probes {
		select {
		case err := <-results:
			if err != nil {
				return err
			}
		case <-ctx.Done():
			return fmt.Errorf("no answer from all of %d probes: %w", len(probes), ctx.Err())
		}
	}
	return nil
}
