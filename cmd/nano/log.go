package main

import (
	"context"
	"log/slog"
	"sync/atomic"

	"github.com/nano-runtime/nano/journal"
)

// lateLog is a log whose form is only known once the configuration is read. What is said
// before takes the form that fits where stderr leads.
type lateLog struct {
	journal atomic.Pointer[journal.Journal]
	mode    string
}

func newLateLog() (*lateLog, error) {
	l := &lateLog{mode: journal.Auto}
	return l, l.set(journal.Auto)
}

func (l *lateLog) set(mode string) error {
	j, err := journal.New(journal.Options{Mode: mode, Version: version})
	if err != nil {
		return err
	}
	l.journal.Store(j)
	return nil
}

// open gives the log its form.
func (l *lateLog) open(mode string) (*journal.Journal, error) {
	if mode != l.mode {
		first := l.journal.Load()
		if err := l.set(mode); err != nil {
			return nil, err
		}
		l.mode = mode
		if err := first.Close(); err != nil {
			return nil, err
		}
	}
	return l.journal.Load(), nil
}

func (l *lateLog) close() error { return l.journal.Load().Close() }

func (l *lateLog) handler() slog.Handler { return l.journal.Load().Logger().Handler() }

// Enabled implements slog.Handler.
func (l *lateLog) Enabled(ctx context.Context, level slog.Level) bool {
	return l.handler().Enabled(ctx, level)
}

// Handle implements slog.Handler.
func (l *lateLog) Handle(ctx context.Context, r slog.Record) error {
	return l.handler().Handle(ctx, r)
}

// WithAttrs implements slog.Handler. What it returns keeps the form of the moment.
func (l *lateLog) WithAttrs(attrs []slog.Attr) slog.Handler { return l.handler().WithAttrs(attrs) }

// WithGroup implements slog.Handler. What it returns keeps the form of the moment.
func (l *lateLog) WithGroup(name string) slog.Handler { return l.handler().WithGroup(name) }
