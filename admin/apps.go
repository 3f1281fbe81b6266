package admin

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"

	"github.com/nano-runtime/nano/app"
	"github.com/nano-runtime/nano/config"
	"github.com/nano-runtime/nano/control"
)

func (s *server) listApps(*request) (*reply, error) {
	etag := s.Control.ListETag()
	cfg := s.Control.Config()
	list := &List{ETag: etag, Apps: make([]App, 0, len(cfg.Apps))}
	for _, c := range cfg.Apps {
		if a := s.Set.App(c.Name); a != nil {
			i := a.Info()
			list.Apps = append(list.Apps, view(c, &i))
		}
	}
	return &reply{etag: etag, value: list}, nil
}

// view is an app as the list shows it.
func view(c config.App, i *app.Info) App {
	a := App{
		Name:    c.Name,
		State:   string(i.State),
		Hosts:   make([]string, len(c.Hosts)),
		Default: c.Default,
		ETag:    control.ETag(c),
		File:    c.Origin.File,
		Managed: c.Origin.State,
		Version: i.Version.Number,
		Hash:    i.Version.Hash,
		By:      i.Version.By,

		Requests: i.Stats.Answered,
		Errors:   i.Stats.Errors(),
		Rate:     i.Stats.Rate,
		InFlight: i.Stats.InFlight,
		Waiting:  i.Stats.Waiting,
		Isolates: i.Stats.Isolates,
		Memory:   i.Stats.Heap + i.Stats.Buffers,
		CPU:      i.Stats.CPU.Seconds(),
	}
	for n, h := range c.Hosts {
		a.Hosts[n] = h.String()
	}
	if i.Problem != nil {
		a.Problem = i.Problem.Error()
	}
	if i.Version.Number > 0 {
		a.Since = &i.Version.Since
	}
	if !i.Stats.Last.IsZero() {
		a.LastRequest = &i.Stats.Last
	}
	return a
}

// detail is all about one app, with its ETag.
func (s *server) detail(name string) (*Detail, error) {
	c, ok := s.Control.Config().App(name)
	a := s.Set.App(name)
	if !ok || a == nil {
		return nil, notFound(name)
	}
	settings, err := json.Marshal(c)
	if err != nil {
		return nil, err
	}
	i := a.Info()
	d := &Detail{
		App:        view(c, &i),
		Settings:   settings,
		Versions:   i.Versions,
		Codes:      make(map[string]uint64, len(i.Stats.Requests)),
		Limits:     i.Stats.Limits,
		Exceptions: i.Stats.Exceptions,
		ColdStarts: i.Stats.ColdStarts,
		Banned:     i.Banned.Seconds(),
	}
	if d.Versions == nil {
		d.Versions = []app.Version{}
	}
	for status, n := range i.Stats.Requests {
		d.Codes[code(status)] = n
	}
	return d, nil
}

// code names a status; there is none where the client went away before it.
func code(status int) string {
	if status == 0 {
		return "none"
	}
	return strconv.Itoa(status)
}

func notFound(name string) error {
	return &Error{Type: TypeNotFound, Status: http.StatusNotFound, Detail: fmt.Sprintf("there is no app %q", name)}
}

func (s *server) showApp(q *request) (*reply, error) {
	return s.shown(q.PathValue("name"), 0)
}

// shown answers with an app as it is now.
func (s *server) shown(name string, status int) (*reply, error) {
	d, err := s.detail(name)
	if err != nil {
		return nil, err
	}
	return &reply{status: status, etag: d.ETag, value: d}, nil
}

// about puts the app's name into an error that doesn't say it.
func about(name string, err error) error {
	if e := asError(err); e.Detail == control.ErrNotFound.Error() || e.Detail == control.ErrExists.Error() || e.Detail == control.ErrStale.Error() {
		e.Detail = fmt.Sprintf("app %q: %s", name, e.Detail)
		return e
	}
	return err
}

func (s *server) createApp(q *request) (*reply, error) {
	draft, err := config.DecodeApp("", q.body)
	if err != nil {
		return nil, malformed(err)
	}
	etag, err := q.ifMatch()
	if err != nil {
		return nil, err
	}
	if _, err := s.Control.Put(q.Context(), draft, control.Expect{New: true, ETag: etag}, q.by); err != nil {
		return nil, about(draft.Name(), err)
	}
	rep, err := s.shown(draft.Name(), http.StatusCreated)
	if err == nil {
		rep.header = map[string]string{"Location": "/admin/apps/" + draft.Name()}
	}
	return rep, err
}

func (s *server) putApp(q *request) (*reply, error) {
	name := q.PathValue("name")
	draft, err := config.DecodeApp(name, q.body)
	if err != nil {
		return nil, malformed(err)
	}
	etag, err := q.ifMatch()
	if err != nil {
		return nil, err
	}
	expect := control.Expect{ETag: etag, Exists: q.Header.Get("If-Match") != ""}
	switch q.Header.Get("If-None-Match") {
	case "":
	case "*":
		expect.New = true
	default:
		return nil, badRequest("If-None-Match is * here, or left out")
	}
	o, err := s.Control.Put(q.Context(), draft, expect, q.by)
	if err != nil {
		return nil, about(name, err)
	}
	status := http.StatusOK
	if len(o.Added) > 0 {
		status = http.StatusCreated
	}
	return s.shown(name, status)
}

// malformed is the answer to a body that is no app at all.
func malformed(err error) error {
	e := asError(err)
	if e.Type == TypeInvalid {
		e.Type, e.Status = TypeBadRequest, http.StatusBadRequest
	}
	return e
}

func (s *server) deleteApp(q *request) (*reply, error) {
	name := q.PathValue("name")
	etag, err := q.ifMatch()
	if err != nil {
		return nil, err
	}
	_, drain, err := s.Control.Remove(q.Context(), name, control.Expect{ETag: etag}, q.by)
	if err != nil {
		return nil, about(name, err)
	}
	s.Journal.Forget(name)
	r := &Removal{Removed: name, Drained: drain == nil}
	if drain != nil {
		r.Detail = drain.Error()
	}
	return &reply{value: r}, nil
}

func (s *server) reloadApp(q *request) (*reply, error) {
	name := q.PathValue("name")
	if _, err := s.Control.ReloadApp(q.Context(), name, q.by); err != nil {
		return nil, about(name, err)
	}
	return s.shown(name, 0)
}

func (s *server) enableApp(q *request) (*reply, error)  { return s.turn(q, true) }
func (s *server) disableApp(q *request) (*reply, error) { return s.turn(q, false) }

func (s *server) turn(q *request, on bool) (*reply, error) {
	name := q.PathValue("name")
	etag, err := q.ifMatch()
	if err != nil {
		return nil, err
	}
	if _, err := s.Control.Enable(q.Context(), name, on, control.Expect{ETag: etag}, q.by); err != nil {
		return nil, about(name, err)
	}
	return s.shown(name, 0)
}
