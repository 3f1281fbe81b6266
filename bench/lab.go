package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/nano-runtime/nano/bench/native"
	"github.com/nano-runtime/nano/bench/stack"
)

// lab is where it all happens: programs, modules, and what came of it so far.
type lab struct {
	log     io.Writer // how far it is
	size    size
	chosen  choice
	tools   stack.Tools
	dir     string            // scratch
	modules map[string]string // by handler
	assets  string            // folder
	missing []string          // which stacks are not here, and how to get them
	rows    []*row
	failed  []error // what went wrong on the way; the rest is done all the same
	dirs    int
	stop    context.CancelFunc
}

func newLab(ctx context.Context, size size, chosen choice, nano string) (*lab, error) {
	const top = "bench" // the program runs at the top of the tree
	if _, err := os.Stat(filepath.Join(top, "handlers")); err != nil {
		return nil, fmt.Errorf("run it from the top of the source tree: %w", err)
	}
	dir, err := os.MkdirTemp("", "nano-bench-")
	if err != nil {
		return nil, err
	}
	l := &lab{log: os.Stderr, size: size, chosen: chosen, dir: dir, assets: filepath.Join(dir, "apps", "asset", "public")}
	if err := l.prepare(ctx, top, nano); err != nil {
		l.close()
		return nil, err
	}
	return l, nil
}

func (l *lab) prepare(ctx context.Context, top, nano string) error {
	ctx, l.stop = context.WithCancel(ctx)
	adapter := filepath.Join(l.dir, "node-adapter.mjs")
	if err := bundleAdapter(filepath.Join(top, "stack", "node.js"), adapter); err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	upstream, err := l.startUpstream(ctx)
	if err != nil {
		return fmt.Errorf("cannot start the upstream: %w", err)
	}
	if l.modules, err = bundleHandlers(filepath.Join(top, "handlers"), l.dir, upstream); err != nil {
		return err
	}
	if err := os.MkdirAll(l.assets, 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(l.assets, assetName), asset(), 0o644); err != nil {
		return err
	}
	modules := filepath.Join(top, "node_modules")
	l.tools = stack.Tools{
		Nano:        program(nano),
		Deno:        program(filepath.Join(modules, "@deno", "*", "deno"), "deno"),
		Node:        program("node"),
		Workerd:     program(filepath.Join(modules, "@cloudflare", "workerd-*", "bin", "workerd")),
		Nginx:       program("nginx", "/usr/sbin/nginx"),
		Caddy:       program("caddy"),
		NodeAdapter: adapter,
		Native:      []string{self, serveVerb},
		Upstream:    upstream,
	}
	for _, k := range stack.Kinds() {
		if m := k.Missing(l.tools); m != "" {
			l.missing = append(l.missing, fmt.Sprintf("%s: %s", k, m))
			l.logf("without %s: %s", k, m)
		}
	}
	return nil
}

// startUpstream serves, in this process, what a handler fetches.
func (l *lab) startUpstream(ctx context.Context) (url string, err error) {
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	go native.Serve(ctx, "source", listener, native.Options{})
	return fmt.Sprintf("http://%s/", listener.Addr()), nil
}

// program is the absolute path of the first that is there, "" if none is. A name
// without a folder is looked for in PATH.
func program(candidates ...string) string {
	for _, c := range candidates {
		found := []string{c}
		if filepath.Base(c) != c {
			found, _ = filepath.Glob(c) // the patterns are constants
		}
		for _, f := range found {
			path, err := exec.LookPath(f)
			if err != nil {
				continue
			}
			if path, err = filepath.Abs(path); err == nil {
				return path
			}
		}
	}
	return ""
}

func (l *lab) close() {
	if l.stop != nil {
		l.stop()
	}
	os.RemoveAll(l.dir)
}

// here reports whether a stack is on this machine and was asked for.
func (l *lab) here(k stack.Kind) bool {
	return l.chosen.kind(k) && k.Missing(l.tools) == ""
}

// apps are n apps of a handler, each with files of its own.
func (l *lab) apps(handler string, n int) ([]stack.App, error) {
	apps := make([]stack.App, n)
	for i := range apps {
		apps[i] = stack.App{Name: handler, Host: handler + ".bench.test", Module: l.modules[handler]}
		if n > 1 {
			apps[i].Name = fmt.Sprintf("%s-%d", handler, i)
			apps[i].Host = apps[i].Name + ".bench.test"
			apps[i].Module = filepath.Join(l.dir, "many", apps[i].Name, "index.mjs")
			if err := copyModule(apps[i].Module, l.modules[handler]); err != nil {
				return nil, err
			}
		}
		if handler == "asset" {
			apps[i].Assets = l.assets
		}
	}
	return apps, nil
}

func copyModule(to, from string) error {
	data, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	return os.WriteFile(to, data, 0o644)
}

// start starts a stack in a new folder.
func (l *lab) start(ctx context.Context, k stack.Kind, apps []stack.App, nano string) (*stack.Stack, error) {
	l.dirs++
	dir := filepath.Join(l.dir, fmt.Sprint(l.dirs))
	if err := os.Mkdir(dir, 0o755); err != nil {
		return nil, err
	}
	return k.Start(ctx, l.tools, stack.Spec{Dir: dir, Apps: apps, Nano: nano})
}

// fail notes what went wrong.
func (l *lab) fail(err error) {
	l.logf("failed: %v", err)
	l.failed = append(l.failed, err)
}

// runAll runs what was chosen. It fails if anything did, after the rest was done.
func (l *lab) runAll(ctx context.Context) error {
	for _, w := range workloads() {
		if !l.chosen.workload(w.name) {
			continue
		}
		if err := l.runWorkload(ctx, w); err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			l.fail(fmt.Errorf("%s: %w", w.name, err))
		}
	}
	for _, e := range episodes() {
		if !l.chosen.workload(e.name) {
			continue
		}
		l.logf("%s: %s", e.name, e.title)
		if err := e.run(ctx, l); err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			l.fail(fmt.Errorf("%s: %w", e.name, err))
		}
	}
	if n := len(l.failed); n > 0 {
		return fmt.Errorf("%d of the things above failed", n)
	}
	return nil
}

// logf tells how far it is.
func (l *lab) logf(format string, args ...any) {
	fmt.Fprintf(l.log, "%s  %s\n", time.Now().Format("15:04:05"), fmt.Sprintf(format, args...))
}
