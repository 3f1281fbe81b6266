package admin

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"github.com/nano-runtime/nano/journal"
)

const (
	defaultLines = 100
	maxLines     = 10000
	// beat is how often a stream without news shows that it is alive.
	beat = 15 * time.Second
)

// streaming is the context of a stream: it ends with the request and with the process.
func (s *server) streaming(r *http.Request) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(r.Context())
	if s.Draining != nil {
		go func() {
			select {
			case <-s.Draining:
				cancel()
			case <-ctx.Done():
			}
		}()
	}
	return ctx, cancel
}

// appLogs answers with the last lines of an app, as JSON lines, and follows it if asked.
// The app needn't run: its lines are what tells why.
func (s *server) appLogs(q *request) (*reply, error) {
	name := q.PathValue("name")
	if s.Set.App(name) == nil {
		return nil, notFound(name)
	}
	query := q.URL.Query()
	level, err := levelOf(query.Get("level"))
	if err != nil {
		return nil, err
	}
	lines := defaultLines
	if text := query.Get("lines"); text != "" {
		if lines, err = strconv.Atoi(text); err != nil || lines < 0 || lines > maxLines {
			return nil, badRequest("lines is a number from 0 to %d, not %q", maxLines, text)
		}
	}
	switch query.Get("follow") {
	case "", "0", "false":
		recent := s.Journal.Recent(name, maxLines)
		return jsonLines(func(w http.ResponseWriter, r *http.Request) {
			enc := json.NewEncoder(w)
			for _, l := range lastOf(recent, level, lines) {
				if enc.Encode(l) != nil {
					return
				}
			}
		}), nil
	case "1", "true":
		return jsonLines(func(w http.ResponseWriter, r *http.Request) { s.follow(w, r, name, level, lines) }), nil
	}
	return nil, badRequest("follow is 1 or 0, not %q", query.Get("follow"))
}

func jsonLines(write http.HandlerFunc) *reply {
	return &reply{header: map[string]string{"Content-Type": "application/x-ndjson"}, stream: write}
}

// lastOf is the last n lines of a level.
func lastOf(all []journal.Line, level slog.Level, n int) []journal.Line {
	var kept []journal.Line
	for i := len(all) - 1; i >= 0 && len(kept) < n; i-- {
		if all[i].Level >= level {
			kept = append(kept, all[i])
		}
	}
	for i, j := 0, len(kept)-1; i < j; i, j = i+1, j-1 {
		kept[i], kept[j] = kept[j], kept[i]
	}
	return kept
}

func (s *server) follow(w http.ResponseWriter, r *http.Request, name string, level slog.Level, lines int) {
	ctx, cancel := s.streaming(r)
	defer cancel()
	tail := s.Journal.Follow(name, lines)
	defer tail.Close()
	out := http.NewResponseController(w)
	w.WriteHeader(http.StatusOK)
	enc := json.NewEncoder(w)
	for out.Flush() == nil {
		l, err := tail.Next(ctx)
		if err != nil {
			return
		}
		if l.Level < level && l.Lost == 0 {
			continue
		}
		if enc.Encode(l) != nil {
			return
		}
	}
}

// levelOf reads the name of a level; "" is all of them.
func levelOf(name string) (slog.Level, error) {
	switch name {
	case "", "debug":
		return slog.LevelDebug, nil
	case "info":
		return slog.LevelInfo, nil
	case "warn":
		return slog.LevelWarn, nil
	case "error":
		return slog.LevelError, nil
	}
	return 0, badRequest("level is debug, info, warn or error, not %q", name)
}

// eventStream tells what happens, as server-sent events.
func (s *server) eventStream(*request) (*reply, error) {
	return &reply{header: map[string]string{"Content-Type": "text/event-stream"}, stream: s.events}, nil
}

func (s *server) events(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := s.streaming(r)
	defer cancel()
	sub := s.Control.Subscribe()
	defer sub.Close()
	out := http.NewResponseController(w)
	w.WriteHeader(http.StatusOK)
	tick := time.NewTicker(beat)
	defer tick.Stop()
	for out.Flush() == nil {
		var err error
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			_, err = fmt.Fprint(w, ": alive\n\n")
		case e, ok := <-sub.C:
			if !ok {
				return
			}
			var data []byte
			if data, err = json.Marshal(e); err == nil {
				_, err = fmt.Fprintf(w, "id: %d\nevent: %s\ndata: %s\n\n", e.ID, e.Type, data)
			}
		}
		if err != nil {
			return
		}
	}
}

func (s *server) metricsText(*request) (*reply, error) {
	return &reply{stream: s.metrics.ServeHTTP}, nil
}
