package chaos

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// load asks the good apps for something, over and over, and takes no excuse.
type load struct {
	stop context.CancelFunc
	all  sync.WaitGroup

	mu       sync.Mutex // guards the fields below
	took     []time.Duration
	failures []string
}

// good starts two clients for each good app.
func good(s *server) *load {
	ctx, cancel := context.WithCancel(context.Background())
	l := &load{stop: cancel}
	for _, app := range []string{"victim", "quiet"} {
		for n := range 2 {
			l.all.Go(func() { l.ask(ctx, s, app, n) })
		}
	}
	return l
}

func (l *load) ask(ctx context.Context, s *server, app string, client int) {
	tr := &http.Transport{}
	defer tr.CloseIdleConnections()
	c := &http.Client{Transport: tr, Timeout: 15 * time.Second}
	for n := 0; ctx.Err() == nil; n++ {
		nonce := fmt.Sprintf("%s-%d-%d", app, client, n)
		began := time.Now()
		err := l.once(c, s, app, nonce)
		l.mu.Lock()
		l.took = append(l.took, time.Since(began))
		if err != nil && len(l.failures) < 20 {
			l.failures = append(l.failures, fmt.Sprintf("%s after %s: %v", nonce, time.Since(began).Round(time.Millisecond), err))
		}
		l.mu.Unlock()
		select {
		case <-ctx.Done():
		case <-time.After(3 * time.Millisecond):
		}
	}
}

func (l *load) once(c *http.Client, s *server, app, nonce string) error {
	// A POST without GetBody: the client must not hide a broken connection by a retry.
	req, err := http.NewRequest("POST", "http://"+s.addr+"/?nonce="+nonce, io.NopCloser(strings.NewReader(nonce)))
	if err != nil {
		return err
	}
	req.Host = app + ".test"
	req.ContentLength = int64(len(nonce))
	req.Header.Set("X-Nonce", nonce)
	res, err := c.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	if want := app + " " + nonce; res.StatusCode != 200 || string(body) != want {
		return fmt.Errorf("got %d %q, want %q", res.StatusCode, body, want)
	}
	return nil
}

// end stops the clients and says how many requests there were and how slow the slowest
// one in a hundred was. Failures are the test's.
func (l *load) end(t *testing.T) (requests int, p99 time.Duration) {
	t.Helper()
	l.stop()
	l.all.Wait()
	for _, f := range l.failures {
		t.Errorf("a good app's request failed: %s", f)
	}
	slices.Sort(l.took)
	if len(l.took) == 0 {
		t.Error("the good apps got no request")
		return 0, 0
	}
	return len(l.took), l.took[len(l.took)*99/100]
}

// outcomes counts what clients of hostile apps got.
type outcomes struct {
	mu  sync.Mutex // guards the fields below
	got map[string]int
	bad []string
}

// hit sends requests to a hostile app, some at a time, until ctx ends; those that are
// under way then have their answers.
func (o *outcomes) hit(ctx context.Context, s *server, app string, parallel int) {
	var all sync.WaitGroup
	for n := range parallel {
		all.Go(func() {
			c := &http.Client{Timeout: 4 * time.Second, Transport: &http.Transport{DisableCompression: true}}
			defer c.CloseIdleConnections()
			for ctx.Err() == nil {
				o.once(c, s, app, n%2 == 1)
			}
		})
	}
	all.Wait()
}

func (o *outcomes) once(c *http.Client, s *server, app string, post bool) {
	method, body := "GET", io.Reader(nil)
	if post {
		method, body = "POST", bytes.NewReader(make([]byte, 100_000))
	}
	req, err := http.NewRequest(method, "http://"+s.addr+"/path?query", body)
	if err != nil {
		o.note("", err.Error())
		return
	}
	req.Host = app + ".test"
	_, port, _ := net.SplitHostPort(s.addr)
	req.Header.Set("X-Port", port)
	res, err := c.Do(req)
	if err != nil {
		if text := err.Error(); strings.Contains(text, "malformed") || strings.Contains(text, "bad header") {
			o.note("malformed", text)
		} else if errors.Is(err, context.DeadlineExceeded) {
			o.note("no answer", "")
		} else {
			o.note("broken", "")
		}
		return
	}
	defer res.Body.Close()
	text, err := io.ReadAll(io.LimitReader(res.Body, 4<<20))
	switch {
	case strings.HasPrefix(string(text), "escaped"):
		o.note("escaped", string(text[:min(len(text), 200)]))
	case errors.Is(err, context.DeadlineExceeded):
		o.note("no end", "")
	case err != nil:
		o.note("cut off", "")
	case bytes.Contains(text, []byte("secret secret")) || bytes.Contains(text, []byte("worker.js")) || bytes.Contains(text, []byte("app:")):
		o.note("told", fmt.Sprintf("an error told the client of the app's inside: %.200q", text))
	default:
		o.note(fmt.Sprint(res.StatusCode), "")
	}
}

func (o *outcomes) note(what, bad string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.got == nil {
		o.got = make(map[string]int)
	}
	o.got[what]++
	if bad != "" && len(o.bad) < 5 {
		o.bad = append(o.bad, what+": "+bad)
	}
}

// String lists the outcomes, most often first.
func (o *outcomes) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	var parts []string
	for what := range o.got {
		parts = append(parts, what)
	}
	slices.SortFunc(parts, func(a, b string) int { return o.got[b] - o.got[a] })
	for i, what := range parts {
		parts[i] = fmt.Sprintf("%s×%d", what, o.got[what])
	}
	return strings.Join(parts, " ")
}

// check fails the test where a client got what nobody may get.
func (o *outcomes) check(t *testing.T) {
	t.Helper()
	for _, b := range o.bad {
		t.Error(b)
	}
}
