package main

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/nano-runtime/nano/daemon"
)

const (
	// healAfter is how old a process is at least when it gives way to a new one: an app
	// that costs every process threads must not keep the machine busy with that.
	healAfter = 10 * time.Second
	// healAgain is how long to wait after a generation that did not get ready.
	healAgain = time.Minute
)

// healer replaces a process that has lost threads, and their memory, by a new generation.
type healer struct {
	began   time.Time
	replace func(ctx context.Context) error
	log     *slog.Logger
	once    sync.Once
}

// threadLost is told of each loss; it doesn't wait. The process is replaced when ctx
// has not ended before.
func (h *healer) threadLost(ctx context.Context, total int) {
	h.once.Do(func() { go h.heal(ctx) })
}

func (h *healer) heal(ctx context.Context) {
	wait := time.Until(h.began.Add(healAfter))
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
		h.log.Warn("starting a new generation: this one has lost threads to apps")
		err := h.replace(ctx)
		if err == nil || errors.Is(err, daemon.ErrHandedOver) || ctx.Err() != nil {
			return
		}
		h.log.Error("cannot replace a process that has lost threads", "error", err)
		wait = healAgain
	}
}
