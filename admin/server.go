package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/nano-runtime/nano/app"
	"github.com/nano-runtime/nano/control"
	"github.com/nano-runtime/nano/daemon"
	"github.com/nano-runtime/nano/journal"
)

// Options say what the API is about.
type Options struct {
	Control *control.Controller
	Set     *app.Set
	Journal *journal.Journal
	Log     *slog.Logger
	// Reload applies program and configuration, and tells what came of it; nil where
	// that is known only to who serves next.
	Reload  func(ctx context.Context, by string) (*control.Outcome, error)
	Version string
	// Draining is closed when streams should come to their end.
	Draining <-chan struct{}
	// Front counts what the public front end does.
	Front func() daemon.Stats
}

// maxBody bounds the body of a request, in bytes.
const maxBody = 1 << 20

// server answers the admin API.
type server struct {
	Options
	metrics http.Handler
	started time.Time
}

// request is one on its way through a handler.
type request struct {
	*http.Request
	body []byte
	by   string // who asks, for versions and logs
}

// reply is a good answer: a value as JSON, or whatever stream writes.
type reply struct {
	status int // 0: 200
	etag   string
	header map[string]string
	value  any
	stream http.HandlerFunc
}

// endpoint is a row of the API.
type endpoint struct {
	method, path string
	handle       func(*server, *request) (*reply, error)
	params       []string // of the query
	write        bool     // changes something: logged with who asked
	body         bool     // takes JSON
}

// endpoints is the whole API.
func endpoints() []endpoint {
	return []endpoint{
		{method: "GET", path: "/admin/apps", handle: (*server).listApps},
		{method: "POST", path: "/admin/apps", handle: (*server).createApp, write: true, body: true},
		{method: "GET", path: "/admin/apps/{name}", handle: (*server).showApp},
		{method: "PUT", path: "/admin/apps/{name}", handle: (*server).putApp, write: true, body: true},
		{method: "DELETE", path: "/admin/apps/{name}", handle: (*server).deleteApp, write: true},
		{method: "POST", path: "/admin/apps/{name}/reload", handle: (*server).reloadApp, write: true},
		{method: "POST", path: "/admin/apps/{name}/enable", handle: (*server).enableApp, write: true},
		{method: "POST", path: "/admin/apps/{name}/disable", handle: (*server).disableApp, write: true},
		{method: "GET", path: "/admin/apps/{name}/logs", handle: (*server).appLogs, params: []string{"follow", "level", "lines"}},
		{method: "POST", path: "/admin/reload", handle: (*server).reloadAll, write: true},
		{method: "GET", path: "/admin/status", handle: (*server).status},
		{method: "GET", path: "/admin/events", handle: (*server).eventStream},
		{method: "GET", path: "/admin/metrics", handle: (*server).metricsText},
	}
}

// NewHandler makes the API's handler. The requests' contexts say who asks (daemon.PeerOf).
func NewHandler(o Options) http.Handler {
	s := &server{Options: o, started: time.Now()}
	s.metrics = newMetrics(o)
	mux := http.NewServeMux()
	methods := make(map[string][]string) // by path
	for _, e := range endpoints() {
		methods[e.path] = append(methods[e.path], e.method)
		mux.HandleFunc(e.method+" "+e.path, func(w http.ResponseWriter, r *http.Request) { s.answer(w, r, e) })
	}
	for path, list := range methods {
		allowed := strings.Join(list, ", ")
		mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Allow", allowed)
			writeError(w, &Error{Type: TypeMethod, Status: http.StatusMethodNotAllowed, Detail: fmt.Sprintf("%s takes %s, not %s", r.URL.Path, allowed, r.Method)})
		})
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		writeError(w, &Error{Type: TypeNotFound, Status: http.StatusNotFound, Detail: fmt.Sprintf("there is no %s in this API", r.URL.Path)})
	})
	return guard(mux)
}

// guard keeps out what is not meant for this socket: pages in a browser that got here
// through a proxy or by a name that somebody else controls.
func guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		refuse := func(detail string) {
			writeError(w, &Error{Type: TypeForbidden, Status: http.StatusForbidden, Detail: detail})
		}
		if r.Host != "localhost" && r.Host != "nano" {
			refuse(fmt.Sprintf("Host %q is not this API's: ask for http://localhost/ on the socket", r.Host))
			return
		}
		for name := range r.Header {
			if name == "Origin" || strings.HasPrefix(name, "Sec-Fetch-") {
				refuse("this API is not for browsers")
				return
			}
		}
		next.ServeHTTP(w, r)
	})
}

// answer runs an endpoint and writes its answer.
func (s *server) answer(w http.ResponseWriter, r *http.Request, e endpoint) {
	q := &request{Request: r, by: "api"}
	peer, known := daemon.PeerOf(r.Context())
	if known {
		q.by = fmt.Sprintf("api uid=%d", peer.UID)
	}
	began := time.Now()
	rep, err := s.run(q, e)
	status := http.StatusOK
	var failed *Error
	if err != nil {
		failed = asError(err)
		status = failed.Status
	} else if rep.status != 0 {
		status = rep.status
	}
	if e.write {
		attrs := []slog.Attr{
			slog.String("method", r.Method), slog.String("path", r.URL.Path), slog.Int("status", status),
			slog.Duration("duration", time.Since(began).Round(time.Microsecond)),
		}
		if known {
			attrs = append(attrs, slog.Int("uid", int(peer.UID)), slog.Int("pid", int(peer.PID)))
		}
		if failed != nil {
			attrs = append(attrs, slog.String("error", failed.Error()))
		}
		s.Log.LogAttrs(r.Context(), slog.LevelInfo, "admin write", attrs...)
	}
	if failed != nil {
		writeError(w, failed)
		return
	}
	for name, value := range rep.header {
		w.Header().Set(name, value)
	}
	if rep.etag != "" {
		w.Header().Set("ETag", `"`+rep.etag+`"`)
	}
	if rep.stream != nil {
		rep.stream(w, r)
		return
	}
	writeJSON(w, status, "application/json", rep.value)
}

func (s *server) run(q *request, e endpoint) (*reply, error) {
	for name := range q.URL.Query() {
		if !slices.Contains(e.params, name) {
			return nil, badRequest("there is no parameter %q here", name)
		}
	}
	if err := q.read(e.body); err != nil {
		return nil, err
	}
	return e.handle(s, q)
}

// read reads the body, or makes sure that there is none.
func (q *request) read(wanted bool) error {
	if q.ContentLength > maxBody {
		return tooLarge()
	}
	body, err := io.ReadAll(io.LimitReader(q.Body, maxBody+1))
	switch {
	case err != nil:
		return badRequest("the body was cut short: %v", err)
	case len(body) > maxBody:
		return tooLarge()
	case !wanted && len(body) > 0:
		return badRequest("%s %s takes no body", q.Method, q.URL.Path)
	case !wanted:
		return nil
	}
	if t := q.Header.Get("Content-Type"); t != "" {
		if media, _, err := mime.ParseMediaType(t); err != nil || media != "application/json" {
			return &Error{
				Type: TypeMedia, Status: http.StatusUnsupportedMediaType, Detail: fmt.Sprintf("the body is %s, and this takes application/json", t),
				Hint: "with curl: --json @app.json",
			}
		}
	}
	q.body = body
	return nil
}

func tooLarge() error {
	return &Error{Type: TypeTooLarge, Status: http.StatusRequestEntityTooLarge, Detail: fmt.Sprintf("the body is larger than %d bytes", maxBody)}
}

func badRequest(format string, args ...any) error {
	return &Error{Type: TypeBadRequest, Status: http.StatusBadRequest, Detail: fmt.Sprintf(format, args...)}
}

// ifMatch is the ETag that the request takes for granted; "" for any.
func (q *request) ifMatch() (string, error) {
	h := q.Header.Values("If-Match")
	if len(h) == 0 || len(h) == 1 && strings.TrimSpace(h[0]) == "*" {
		return "", nil
	}
	etag := strings.TrimSpace(h[0])
	if len(h) > 1 || len(etag) < 3 || etag[0] != '"' || etag[len(etag)-1] != '"' || strings.Contains(etag[1:len(etag)-1], `"`) {
		return "", badRequest("If-Match is one ETag in double quotes, or *")
	}
	return etag[1 : len(etag)-1], nil
}

func writeJSON(w http.ResponseWriter, status int, contentType string, value any) {
	body, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		writeError(w, asError(fmt.Errorf("cannot encode the answer: %w", err)))
		return
	}
	w.Header().Set("Content-Type", contentType)
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n')) // who went away doesn't want it
}

func writeError(w http.ResponseWriter, e *Error) {
	e.Title = http.StatusText(e.Status)
	if e.Status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "1")
	}
	writeJSON(w, e.Status, "application/problem+json", e)
}

// asError makes a problem of any error.
func asError(err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return problemOf(err)
}
