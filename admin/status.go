package admin

import (
	"cmp"
	"net/http"
	"os"
	"runtime"
	"slices"
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
	var shares []Share
	for _, a := range s.Set.Apps() {
		i := a.Info()
		if i.Stats.Isolates > 0 {
			shares = append(shares, Share{a.Name, i.Stats.Isolates, i.Stats.Reserved})
		}
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
	b := s.Set.Budget()
	st.Budget = Budget{
		Isolates: b.Isolates, MaxIsolates: b.MaxIsolates, Heap: b.Reserved, MaxHeap: b.MaxReserved,
		Refused: b.Refused, Largest: largest(shares),
	}
	if s.Front != nil {
		st.Connections = s.Front().Connections
	}
	return &reply{value: st}, nil
}

// largest are the few that hold most.
func largest(shares []Share) []Share {
	const few = 5
	slices.SortFunc(shares, func(a, b Share) int {
		return cmp.Or(cmp.Compare(b.Heap, a.Heap), cmp.Compare(a.App, b.App))
	})
	return append([]Share{}, shares[:min(few, len(shares))]...)
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
	// With apps that failed all the rest was applied: the outcome has them.
	if err := o.Err(); err != nil && len(o.Failed) == 0 {
		return nil, &Error{Type: TypeReload, Status: http.StatusUnprocessableEntity, Detail: err.Error(), Problems: o.Problems}
	}
	return &reply{value: o}, nil
}
