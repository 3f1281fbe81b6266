// Package assets serves an app's static files over HTTP.
//
// It owns which file a request means, the headers that go with it, and that
// no request reads anything outside of the folder. It doesn't know apps: the
// caller asks here first, and the app where nothing was served.
package assets

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// What a request gets that no file matches, in the words of wrangler's
// not_found_handling.
const (
	NotFoundNone = "none"                    // a plain 404
	NotFoundPage = "404-page"                // the nearest 404.html, from the request's folder upwards
	NotFoundApp  = "single-page-application" // /index.html, with 200
)

// Options says how a folder is served.
type Options struct {
	NotFound string // one of the constants above; "" is NotFoundNone
	// Ignore are lines as in the folder's .assetsignore, which can't take them back.
	Ignore []string
}

// Server serves the files of one folder. It notices every change below it,
// but for that of .assetsignore, and that another folder has taken its place.
// Its methods may be called from
// any goroutine.
type Server struct {
	dir      string
	notFound string
	ignore   []rule
	now      func() time.Time

	folder  atomic.Pointer[folder]
	cache   cache
	listing atomic.Pointer[listing]

	mu     sync.Mutex // held to replace folder, and guards the field below
	closed bool
}

// New serves dir, which must exist.
func New(dir string, o Options) (*Server, error) {
	switch o.NotFound {
	case "":
		o.NotFound = NotFoundNone
	case NotFoundNone, NotFoundPage, NotFoundApp:
	default:
		return nil, fmt.Errorf("cannot serve assets: unknown not-found handling %q; it is one of %q, %q and %q",
			o.NotFound, NotFoundNone, NotFoundPage, NotFoundApp)
	}
	s := &Server{dir: dir, notFound: o.NotFound, ignore: parseRules(o.Ignore), now: time.Now}
	if _, err := s.current(); err != nil {
		return nil, fmt.Errorf("cannot serve assets: %w", err)
	}
	return s, nil
}

// Close lets go of the folder. Files that are being sent are sent to the end.
func (s *Server) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	if f := s.folder.Swap(nil); f != nil {
		return f.close()
	}
	return nil
}

// current returns the folder that has the server's path now: a new version of
// a site is often renamed or linked into place.
func (s *Server) current() (*folder, error) {
	if f := s.folder.Load(); f != nil && f.isAt(s.dir) {
		return f, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, os.ErrClosed
	}
	if f := s.folder.Load(); f != nil && f.isAt(s.dir) {
		return f, nil
	}
	f, err := openFolder(s.dir)
	if err != nil {
		return nil, err
	}
	if f.ignore, err = f.readRules(); err != nil {
		return nil, errors.Join(err, f.close())
	}
	if old := s.folder.Swap(f); old != nil {
		old.close() // it was only read: there is nothing to lose
	}
	return f, nil
}

// open opens a regular file. Whatever forbids that is as good as its absence,
// but for a lack of descriptors, which is no property of the file.
func (s *Server) open(name string) (*file, error) {
	for {
		d, err := s.current()
		if err != nil {
			return nil, err
		}
		if ignores(d.ignore, name) || ignores(s.ignore, name) {
			return nil, fs.ErrNotExist
		}
		f, err := d.open(name)
		if now := s.folder.Load(); errors.Is(err, os.ErrClosed) && now != nil && now != d {
			continue // replaced since
		}
		return f, err
	}
}

// Serve answers a GET or HEAD whose path means a file: the file of that name,
// a folder's index.html, or without an extension the .html file of that name.
// Otherwise it returns false and has not touched w.
func (s *Server) Serve(w http.ResponseWriter, r *http.Request) bool {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return false
	}
	name, slash, ok := fileName(r.URL.Path, r.URL.RawPath)
	if !ok {
		return false
	}
	if slash {
		name = path.Join(name, "index.html")
	}
	if s.serveCached(w, r, name) {
		return true
	}
	if !s.mayExist(name) {
		return false
	}
	served, err := s.serveOpened(w, r, name)
	if served || slash {
		return served
	}
	if errors.Is(err, errIsFolder) {
		if index, err := s.open(name + "/index.html"); err == nil {
			index.close()
			redirect(w, r)
			return true
		}
	}
	return path.Ext(name) != ".html" && s.serveFile(w, r, name+".html")
}

// ServeHTTP answers with a file, or as the options say where no file matches.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !s.Serve(w, r) {
		s.ServeNotFound(w, r)
	}
}

// redirect adds the slash that makes a page's relative links right.
func redirect(w http.ResponseWriter, r *http.Request) {
	to := r.URL.EscapedPath() + "/"
	if r.URL.RawQuery != "" {
		to += "?" + r.URL.RawQuery
	}
	w.Header().Set("Location", to)
	w.WriteHeader(http.StatusTemporaryRedirect)
}

// serveFile answers with the file of a name, if there is one.
func (s *Server) serveFile(w http.ResponseWriter, r *http.Request, name string) bool {
	if s.serveCached(w, r, name) {
		return true
	}
	served, _ := s.serveOpened(w, r, name)
	return served
}

func (s *Server) serveCached(w http.ResponseWriter, r *http.Request, name string) bool {
	a := s.cache.get(newChoice(r, name))
	if a != nil {
		a.send(w, r)
	}
	return a != nil
}

// serveOpened returns why there is no such file, if it didn't answer.
func (s *Server) serveOpened(w http.ResponseWriter, r *http.Request, name string) (served bool, err error) {
	f, err := s.open(name)
	if errors.Is(err, unix.EMFILE) || errors.Is(err, unix.ENFILE) {
		w.Header().Set("Retry-After", "1")
		text(w, http.StatusServiceUnavailable, "too many open files\n")
		return true, nil
	}
	if err != nil {
		return false, err
	}
	s.send(w, r, newChoice(r, name), f)
	return true, nil
}

// ServeNotFound answers a request that neither a file nor an app has answered.
func (s *Server) ServeNotFound(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		text(w, http.StatusMethodNotAllowed, "method not allowed\n")
		return
	}
	switch s.notFound {
	case NotFoundApp:
		if s.serveFile(w, r, "index.html") {
			return
		}
	case NotFoundPage:
		if s.serveNotFoundPage(w, r) {
			return
		}
	}
	text(w, http.StatusNotFound, "not found\n")
}

func (s *Server) serveNotFoundPage(w http.ResponseWriter, r *http.Request) bool {
	// What isn't a good path gets the page of the top.
	name, slash, _ := fileName(r.URL.Path, r.URL.RawPath)
	if !slash {
		name = parent(name)
	}
	for {
		f, err := s.open(path.Join(name, "404.html"))
		if err == nil {
			defer f.close()
			h := w.Header()
			h.Set("Content-Type", "text/html; charset=utf-8")
			h.Set("Content-Length", strconv.FormatInt(f.stat.Size, 10))
			w.WriteHeader(http.StatusNotFound)
			if r.Method != http.MethodHead {
				copyN(w, f.osFile(), f.stat.Size)
			}
			return true
		}
		if name == "" {
			return false
		}
		name = parent(name)
	}
}

// parent returns a name's folder, "" for the top.
func parent(name string) string {
	return name[:max(0, strings.LastIndexByte(name, '/'))]
}

// copyN sends n bytes; who doesn't get them all has gone away.
func copyN(w io.Writer, r io.Reader, n int64) {
	io.CopyN(w, r, n)
}

func text(w http.ResponseWriter, status int, body string) {
	h := w.Header()
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	io.WriteString(w, body)
}
