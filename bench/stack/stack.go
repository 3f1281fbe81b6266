// Package stack starts what can serve an app of the benchmark: NANO, and what a
// user would build instead of it. It owns their configurations, their processes
// and the account of what those use. It knows nothing of what they are loaded
// with, and ends nothing that it hasn't started.
package stack

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// An App is one handler behind one host name.
type App struct {
	Name   string // a DNS label
	Host   string
	Module string // file: one ES module, its default export has fetch
	Assets string // folder whose files are served before the handler is asked; "": none
}

// A Spec says what a stack is to serve.
type Spec struct {
	Dir  string // an empty folder for configurations and logs
	Apps []App

	// Nano is what NANO's configuration has besides the apps: lines of its
	// [defaults] table. The others have no word for it.
	Nano string
}

// Tools are the programs that stacks are made of, by path. An empty one is
// missing.
type Tools struct {
	Nano, Deno, Node, Workerd, Nginx, Caddy string

	// NodeAdapter is the script that serves a module on Node: node ADAPTER
	// MODULE PORT.
	NodeAdapter string
	// Native is the program that serves the same as the handlers without
	// JavaScript, and its first arguments; an app's name, a port, the folder of
	// its assets and Upstream follow.
	Native   []string
	Upstream string // URL that handlers fetch; the bundled ones know it
}

// A Stack runs.
type Stack struct {
	Kind   Kind
	Addr   netip.AddrPort // where it serves all its apps
	Admin  string         // NANO's admin socket
	Booted time.Duration  // from the start of its first process to its first answer
	Dir    string

	processes []*process
}

// startTime is how long a stack may take to its first answer.
const startTime = 2 * time.Minute

// Start starts a stack of this kind and waits until it answers for its first
// app. An error tells what the stack logged.
func (k Kind) Start(ctx context.Context, tools Tools, spec Spec) (*Stack, error) {
	if len(spec.Apps) == 0 {
		return nil, fmt.Errorf("cannot start %s: no apps", k)
	}
	port, err := freePort()
	if err != nil {
		return nil, fmt.Errorf("cannot start %s: %w", k, err)
	}
	s := &Stack{Kind: k, Addr: loopback(port), Dir: spec.Dir}
	commands, err := k.commands(tools, spec, s)
	if err != nil {
		return nil, fmt.Errorf("cannot start %s: %w", k, err)
	}
	began := time.Now()
	for i, c := range commands {
		p, err := c.start(filepath.Join(spec.Dir, strconv.Itoa(i)+".log"))
		if err != nil {
			s.Stop()
			return nil, fmt.Errorf("cannot start %s: %w", k, err)
		}
		s.processes = append(s.processes, p)
	}
	if err := s.ready(ctx, spec.Apps[0].Host); err != nil {
		err = fmt.Errorf("cannot start %s: %w%s", k, err, s.Logs())
		s.Stop()
		return nil, err
	}
	s.Booted = time.Since(began)
	return s, nil
}

// ready waits for the stack's first answer.
func (s *Stack) ready(ctx context.Context, host string) error {
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	// The ports behind a proxy come first: what it is asked before they are
	// there makes it think that they are down.
	for _, p := range s.processes {
		if p.port == 0 {
			continue
		}
		if err := s.retry(ctx, func() error { return dial(ctx, loopback(p.port)) }); err != nil {
			return fmt.Errorf("%s does not listen: %w", p.name, err)
		}
	}
	return s.retry(ctx, func() error {
		response, err := s.Get(ctx, host, "/")
		if err != nil {
			return err
		}
		if response.StatusCode >= 500 {
			return fmt.Errorf("its answer is %s", response.Status)
		}
		return nil
	})
}

// retry calls do until it succeeds, a process ends, or ctx does.
func (s *Stack) retry(ctx context.Context, do func() error) error {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for {
		err := do()
		if err == nil {
			return nil
		}
		for _, p := range s.processes {
			if p.ended() {
				return fmt.Errorf("%s has ended", p.name)
			}
		}
		select {
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		case <-tick.C:
		}
	}
}

// Get asks the stack for one page, on a connection of its own, and reads the
// whole answer. Body of the response is what was read.
func (s *Stack) Get(ctx context.Context, host, path string) (*http.Response, error) {
	return s.Do(ctx, http.MethodGet, host, path, nil)
}

// Do is Get for any method; a body is JSON.
func (s *Stack) Do(ctx context.Context, method, host, path string, body []byte) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, method, "http://"+s.Addr.String()+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Host = host
	request.Close = true
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	transport := &http.Transport{DisableCompression: true, DisableKeepAlives: true}
	response, err := transport.RoundTrip(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	data, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, fmt.Errorf("cannot read the answer: %w", err)
	}
	response.Body = io.NopCloser(bytes.NewReader(data))
	return response, nil
}

// Stop ends the stack's processes, politely at first, and returns when they are
// gone.
func (s *Stack) Stop() {
	for _, p := range s.processes {
		p.terminate()
	}
	deadline := time.Now().Add(5 * time.Second)
	for _, p := range s.processes {
		p.waitUntil(deadline)
	}
}

// Alive reports whether every process that was started still runs.
func (s *Stack) Alive() bool {
	for _, p := range s.processes {
		if p.ended() {
			return false
		}
	}
	return true
}

// Logs returns the ends of what the stack's processes logged.
func (s *Stack) Logs() string {
	var b bytes.Buffer
	for i, p := range s.processes {
		if i == 5 {
			fmt.Fprintf(&b, "\n--- and %d more processes", len(s.processes)-i)
			break
		}
		fmt.Fprintf(&b, "\n--- %s, the end of its log:\n%s", p.name, tail(p.log, 2000))
	}
	return b.String()
}

func tail(path string, n int) []byte {
	data, err := os.ReadFile(path)
	if err != nil {
		return []byte(err.Error())
	}
	return bytes.TrimSpace(data[max(0, len(data)-n):])
}
