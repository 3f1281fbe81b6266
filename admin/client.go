package admin

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/nano-runtime/nano/control"
	"github.com/nano-runtime/nano/journal"
)

// Client asks the daemon. Its methods may be called from any goroutine. Their errors are
// *Error where the daemon refused, and *DialError where there is none.
type Client struct {
	http *http.Client
}

// NewClient asks the daemon on a socket.
func NewClient(socket string) *Client {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		nc, err := d.DialContext(ctx, "unix", socket)
		if err != nil {
			return nil, &DialError{Socket: socket, Err: err}
		}
		return nc, nil
	}
	// Each request on a connection of its own finds the generation that serves just then.
	return &Client{&http.Client{Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true}}}
}

// DialError is why the daemon can't be asked.
type DialError struct {
	Socket string
	Err    error
}

func (e *DialError) Error() string { return fmt.Sprintf("cannot connect to %s: %v", e.Socket, e.Err) }
func (e *DialError) Unwrap() error { return e.Err }

// Apps are all apps.
func (c *Client) Apps(ctx context.Context) (*List, error) {
	return ask[List](ctx, c, "GET", "/admin/apps", nil, nil)
}

// App is one of them.
func (c *Client) App(ctx context.Context, name string) (*Detail, error) {
	return ask[Detail](ctx, c, "GET", appPath(name), nil, nil)
}

// Add makes an app of JSON that has the keys of its TOML table, and its name.
func (c *Client) Add(ctx context.Context, app []byte) (*Detail, error) {
	return ask[Detail](ctx, c, "POST", "/admin/apps", app, nil)
}

// Put makes an app, or replaces it. With an etag it is replaced only while it is what
// that stands for.
func (c *Client) Put(ctx context.Context, name string, app []byte, etag string) (*Detail, error) {
	return ask[Detail](ctx, c, "PUT", appPath(name), app, ifMatch(etag))
}

// Remove removes an app, and waits until it has drained.
func (c *Client) Remove(ctx context.Context, name, etag string) (*Removal, error) {
	return ask[Removal](ctx, c, "DELETE", appPath(name), nil, ifMatch(etag))
}

// ReloadApp loads an app anew.
func (c *Client) ReloadApp(ctx context.Context, name string) (*Detail, error) {
	return ask[Detail](ctx, c, "POST", appPath(name)+"/reload", nil, nil)
}

// Enable turns an app on.
func (c *Client) Enable(ctx context.Context, name string) (*Detail, error) {
	return ask[Detail](ctx, c, "POST", appPath(name)+"/enable", nil, nil)
}

// Disable turns an app off.
func (c *Client) Disable(ctx context.Context, name string) (*Detail, error) {
	return ask[Detail](ctx, c, "POST", appPath(name)+"/disable", nil, nil)
}

// Reload applies program and configuration, and waits until that serves.
func (c *Client) Reload(ctx context.Context) (*control.Outcome, error) {
	return ask[control.Outcome](ctx, c, "POST", "/admin/reload", nil, nil)
}

// Status is how the daemon is.
func (c *Client) Status(ctx context.Context) (*Status, error) {
	return ask[Status](ctx, c, "GET", "/admin/status", nil, nil)
}

// LogQuery says which lines of an app are wanted.
type LogQuery struct {
	Follow bool
	Level  string // the least; "": any
	Lines  int    // of those that there are; at most
}

// Logs calls each with the lines of an app, until there are no more, or each fails.
func (c *Client) Logs(ctx context.Context, name string, q LogQuery, each func(journal.Line) error) error {
	v := url.Values{"lines": {strconv.Itoa(q.Lines)}}
	if q.Follow {
		v.Set("follow", "1")
	}
	if q.Level != "" {
		v.Set("level", q.Level)
	}
	body, err := c.open(ctx, "GET", appPath(name)+"/logs?"+v.Encode(), nil, nil)
	if err != nil {
		return err
	}
	defer body.Close()
	for dec := json.NewDecoder(body); ; {
		var l journal.Line
		if err := dec.Decode(&l); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("the daemon's answer broke off: %w", err)
		}
		if err := each(l); err != nil {
			return err
		}
	}
}

// appPath is an app's path for any name: a dot would make some of them other paths.
func appPath(name string) string {
	return "/admin/apps/" + strings.ReplaceAll(url.PathEscape(name), ".", "%2E")
}

func ifMatch(etag string) map[string]string {
	if etag == "" {
		return nil
	}
	return map[string]string{"If-Match": `"` + etag + `"`}
}

// ask sends a request and decodes the answer.
func ask[T any](ctx context.Context, c *Client, method, path string, body []byte, header map[string]string) (*T, error) {
	answer, err := c.open(ctx, method, path, body, header)
	if err != nil {
		return nil, err
	}
	defer answer.Close()
	v := new(T)
	if err := json.NewDecoder(answer).Decode(v); err != nil {
		return nil, fmt.Errorf("cannot read the daemon's answer: %w", err)
	}
	return v, nil
}

// handOvers is how often a request follows the daemon to its next generation.
const handOvers = 20

// open sends a request and returns the body of a good answer. One that came to a process
// that is being replaced goes to the next one: nothing was done about it.
func (c *Client) open(ctx context.Context, method, path string, body []byte, header map[string]string) (io.ReadCloser, error) {
	for try := 1; ; try++ {
		answer, err := c.send(ctx, method, path, body, header)
		var e *Error
		if !errors.As(err, &e) || e.Type != TypeHandedOver || try == handOvers {
			return answer, err
		}
		select {
		case <-time.After(time.Duration(try) * 10 * time.Millisecond):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (c *Client) send(ctx context.Context, method, path string, body []byte, header map[string]string) (io.ReadCloser, error) {
	var reader io.Reader
	if body != nil {
		reader = bytes.NewReader(body)
	}
	r, err := http.NewRequestWithContext(ctx, method, "http://localhost"+path, reader)
	if err != nil {
		return nil, err
	}
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	for name, value := range header {
		r.Header.Set(name, value)
	}
	answer, err := c.http.Do(r)
	if err != nil {
		var dial *DialError
		if errors.As(err, &dial) {
			return nil, dial
		}
		return nil, fmt.Errorf("cannot ask the daemon: %w", errors.Unwrap(err))
	}
	if answer.StatusCode < 300 {
		return answer.Body, nil
	}
	defer answer.Body.Close()
	return nil, readError(answer)
}

// readError is the problem in an answer, whoever wrote it.
func readError(answer *http.Response) error {
	text, err := io.ReadAll(io.LimitReader(answer.Body, maxBody))
	if err != nil {
		return fmt.Errorf("the daemon answered %s, and broke off", answer.Status)
	}
	e := new(Error)
	if strings.HasPrefix(answer.Header.Get("Content-Type"), "application/problem+json") && json.Unmarshal(text, e) == nil {
		return e
	}
	return fmt.Errorf("the daemon answered %s: %.200s", answer.Status, strings.TrimSpace(string(text)))
}
