package webapi

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// local answers requests by a handler in this process instead of a server.
type local struct{ handler http.Handler }

// RoundTrip returns when the handler has written the response's head. Nothing of the body is buffered: what the handler
// writes waits until it is read, and fails once the response is closed or the request's context has ended.
func (l local) RoundTrip(r *http.Request) (*http.Response, error) {
	body, pipe := io.Pipe()
	w := &localWriter{header: make(http.Header), pipe: pipe, head: make(chan *http.Response, 1)}
	w.response = &http.Response{Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Body: body, Request: r}
	stop := context.AfterFunc(r.Context(), func() { pipe.CloseWithError(r.Context().Err()) })
	go func() {
		defer stop()
		defer r.Body.Close()
		pipe.CloseWithError(w.run(l.handler, arrived(r)))
	}()
	select {
	case response := <-w.head:
		return response, nil
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
}

// arrived is a request as a server would have read it.
func arrived(r *http.Request) *http.Request {
	in := r.Clone(r.Context())
	in.Header.Del("Accept-Encoding") // to undo a coding again would be all that it is good for
	in.RequestURI = r.URL.RequestURI()
	target, err := url.ParseRequestURI(in.RequestURI)
	if err != nil {
		path, query, _ := strings.Cut(in.RequestURI, "?")
		target = &url.URL{Path: path, RawQuery: query}
	}
	in.URL = target
	return in
}

// localWriter is the ResponseWriter of a handler that local asks.
type localWriter struct {
	header   http.Header
	response *http.Response
	begun    bool // the head is out
	pipe     *io.PipeWriter
	head     chan *http.Response // has room for the one
}

// run calls the handler. One that panics breaks its response off, and nothing else.
func (w *localWriter) run(handler http.Handler, r *http.Request) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("it failed: %v", p)
			w.WriteHeader(http.StatusInternalServerError)
		}
	}()
	handler.ServeHTTP(w, r)
	w.WriteHeader(http.StatusOK)
	return nil
}

func (w *localWriter) Header() http.Header { return w.header }

func (w *localWriter) WriteHeader(status int) {
	if w.begun || status < http.StatusOK {
		return
	}
	w.begun = true
	w.response.StatusCode = status
	w.response.Status = fmt.Sprintf("%d %s", status, http.StatusText(status))
	w.response.Header = w.header.Clone()
	w.response.ContentLength = -1
	if n, err := strconv.ParseInt(w.header.Get("Content-Length"), 10, 64); err == nil {
		w.response.ContentLength = n
	}
	w.head <- w.response
}

func (w *localWriter) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	return w.pipe.Write(p)
}
