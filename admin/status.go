package admin

import (
	"net/http"
	"os"
	"runtime"
	"strconv"
	"strings"

	"github.com/nano-runtime/nano/isolate"
)

func (s *server) status(*request) (*reply, error) {
	cfg := s.Control.Config()
	st := &Status{
		Version:  s.Version,
		V8:       isolate.V8Version(),
		Go:       runtime.Version(),
		PID:      os.Getpid(),
		Started:  s.started,
		Config:   cfg.Path,
		Watching: s.Control.Watching(),
		Apps:     make(map[string]int),
		Resident: resident(),
		Last:     s.Control.Last(),
	}
	for _, a := range s.Set.Apps() {
		i := a.Info()
		st.Apps[string(i.State)]++
		st.Hosts += len(i.Config.Hosts)
		st.Requests += i.Stats.Answered
		st.Errors += i.Stats.Errors()
		st.Rate += i.Stats.Rate
		st.InFlight += i.Stats.InFlight
		st.Isolates += i.Stats.Isolates
		st.Memory += i.Stats.Heap + i.Stats.Buffers
	}
	st.LostThreads = s.Set.LostThreads()
	if s.Front != nil {
		st.Connections = s.Front().Connections
	}
	return &reply{value: st}, nil
}

// resident is how much memory the process has, in bytes; 0 where the system doesn't say.
func resident() int64 {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(text))
	if len(fields) < 2 {
		return 0
	}
	pages, _ := strconv.ParseInt(fields[1], 10, 64) // 0 where it isn't a number
	return pages * int64(os.Getpagesize())
}

func (s *server) reloadAll(q *request) (*reply, error) {
	o, err := s.Reload(q.Context(), q.by)
	if err != nil {
		e := asError(err)
		if e.Type == TypeInternal {
			e.Type, e.Status = TypeReload, http.StatusUnprocessableEntity
		}
		return nil, e
	}
	if o == nil {
		return &reply{status: http.StatusAccepted, value: map[string]string{"detail": "the new generation serves; GET /admin/status tells more"}}, nil
	}
	if err := o.Err(); err != nil {
		return nil, &Error{Type: TypeReload, Status: http.StatusUnprocessableEntity, Detail: err.Error(), Problems: o.Problems}
	}
	return &reply{value: o}, nil
}
