package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nano-runtime/nano/bench/stack"
)

// hostileVerb sets bombs on stacks instead of measuring them: bench hostile.
const hostileVerb = "hostile"

// How a bomb is set on a stack.
const (
	goodHost, bombHost = "good.bench.test", "bomb.bench.test"

	quietTime   = 2 * time.Second // how long the good app is asked alone
	bombTime    = 3 * time.Second // and beside the bomb
	patience    = 5 * time.Second // of every client
	bombClients = 4
	goodRate    = 100     // requests a second
	memoryLimit = 3 << 30 // bytes; a process over it is ended, before the machine is out of memory
	watchEvery  = 50 * time.Millisecond
)

// bombs are files of chaos/apps that ask nothing of NANO: the same text runs on
// all stacks.
func bombs() []string {
	return []string{
		"cpu-loop", "cpu-microtasks", "cpu-regexp", "cpu-json",
		"memory-array-push", "memory-buffers", "memory-string-double", "memory-wasm-grow", "memory-leak",
		"growth-timers", "growth-recursion",
	}
}

// A host is a way to have two apps of different people on one machine.
type host struct {
	name   string
	kind   stack.Kind
	oneApp bool // the stack serves one app: a module that has both, and picks by Host
}

func hosts() []host {
	return []host{
		{name: "NANO", kind: stack.Nano},
		{name: "workerd, one process", kind: stack.WorkerdRouter},
		{name: "Deno, one process", kind: stack.Deno, oneApp: true},
		{name: "nginx→Deno, a process an app", kind: stack.NginxDeno},
	}
}

// runHostile sets each bomb on each host, and writes hostile.md.
func runHostile(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("bench "+hostileVerb, flag.ContinueOnError)
	only := flags.String("only", "", "set only these `BOMBS`, separated by commas; no file written")
	out := flags.String("out", "docs", "the `FOLDER` for hostile.md")
	nano := flags.String("nano", "bin/nano", "the NANO `PROGRAM` to set them on")
	if err := flags.Parse(args); err != nil {
		return flag.ErrHelp
	}
	chosen, err := chooseBombs(*only)
	if err != nil {
		return err
	}
	lab, err := newLab(ctx, fullSize(), choice{}, *nano)
	if err != nil {
		return err
	}
	defer lab.close()
	lab.tools.Node, lab.tools.Caddy = "", "" // no part of it, nor of what the machine has
	report := hostileReport{machine: describeMachine(lab.tools), load: loadAverage()}
	for _, bomb := range chosen {
		b, err := lab.runBomb(ctx, bomb)
		if err != nil {
			return err
		}
		report.bombs = append(report.bombs, b)
	}
	report.tables(os.Stdout)
	if n := len(lab.failed); n > 0 {
		return fmt.Errorf("%d of the stacks above could not be tried", n)
	}
	if *only != "" {
		return nil
	}
	var text strings.Builder
	report.document(&text)
	return os.WriteFile(filepath.Join(*out, "hostile.md"), []byte(text.String()), 0o644)
}

func chooseBombs(only string) ([]string, error) {
	if only == "" {
		return bombs(), nil
	}
	chosen := strings.Split(only, ",")
	for _, name := range chosen {
		if !slices.Contains(bombs(), name) {
			return nil, fmt.Errorf("there is no bomb %q; there are %s", name, strings.Join(bombs(), ", "))
		}
	}
	return chosen, nil
}

// runBomb sets one bomb on each host that is there.
func (l *lab) runBomb(ctx context.Context, name string) (bombed, error) {
	source, err := os.ReadFile(filepath.Join("chaos", "apps", name+".js"))
	if err != nil {
		return bombed{}, err
	}
	first, _, _ := bytes.Cut(source, []byte("\n"))
	b := bombed{name: name, tries: strings.TrimPrefix(string(first), "// ")}
	dir := filepath.Join(l.dir, "hostile", name)
	apps := []stack.App{
		{Name: "good", Host: goodHost, Module: filepath.Join(dir, "good", "index.mjs")},
		{Name: "bomb", Host: bombHost, Module: filepath.Join(dir, "bomb", "index.mjs")},
	}
	both := []stack.App{{Name: "both", Host: goodHost, Module: filepath.Join(dir, "both.mjs")}}
	if err := copyModule(apps[0].Module, l.modules["hello"]); err != nil {
		return bombed{}, err
	}
	if err := copyModule(apps[1].Module, filepath.Join("chaos", "apps", name+".js")); err != nil {
		return bombed{}, err
	}
	if err := os.WriteFile(both[0].Module, []byte(bothModule()), 0o644); err != nil {
		return bombed{}, err
	}
	for _, h := range hosts() {
		if h.kind.Missing(l.tools) != "" {
			continue // said so at the start
		}
		l.logf("%s on %s", name, h.name)
		served := apps
		if h.oneApp {
			served = both
		}
		o, err := l.bombHost(ctx, h, served)
		if ctx.Err() != nil {
			return bombed{}, ctx.Err()
		}
		if err != nil {
			l.fail(fmt.Errorf("%s on %s: %w", name, h.name, err))
			continue
		}
		b.outcomes = append(b.outcomes, o)
	}
	return b, nil
}

// bothModule is what a user writes who wants two apps in one process of Deno.
func bothModule() string {
	return fmt.Sprintf(`import good from "./good/index.mjs";
import bomb from "./bomb/index.mjs";
const apps = { %q: good, %q: bomb };
export default {
  fetch(request, ...rest) {
    const app = apps[request.headers.get("host")];
    return app ? app.fetch(request, ...rest) : new Response("no such host\n", { status: 404 });
  },
};
`, goodHost, bombHost)
}

// bombHost starts a host, asks its good app alone, then beside the bomb, and then
// looks what is left.
func (l *lab) bombHost(ctx context.Context, h host, apps []stack.App) (outcome, error) {
	s, err := l.start(ctx, h.kind, apps, "")
	if err != nil {
		return outcome{}, err
	}
	defer s.Stop()
	o := outcome{host: h.name}
	for range 50 { // code that was never run is slow
		if err := askGood(ctx, s); err != nil {
			return o, fmt.Errorf("the good app fails when it is alone: %w", err)
		}
	}
	o.quiet = neighbour(ctx, s, quietTime)

	watching, stop := context.WithCancel(ctx)
	watched := make(chan watch, 1)
	go func() { watched <- watchMemory(watching, s) }()
	var all sync.WaitGroup
	all.Go(func() { o.during = neighbour(ctx, s, bombTime) })
	all.Go(func() { o.answers = hitBomb(ctx, s) })
	all.Wait()
	o.goodAfter = askGood(ctx, s) == nil
	stop()
	w := <-watched
	o.peak, o.killed = w.peak, w.killed
	groups, err := s.Groups()
	if err != nil {
		return o, err
	}
	for _, g := range groups {
		if g.Gone && !slices.Contains(o.killed, g.Name) {
			o.ended = append(o.ended, g.Name)
		}
	}
	return o, ctx.Err()
}

// askGood asks the good app once.
func askGood(ctx context.Context, s *stack.Stack) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	response, err := s.Get(ctx, goodHost, "/some/path")
	if err != nil {
		return err
	}
	if response.StatusCode != 200 {
		return fmt.Errorf("its answer is %s", response.Status)
	}
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	return exactly("Hello from /some/path\n")(body)
}

// neighbour asks the good app at an even rate, each time on a new connection,
// whether or not the requests before are answered. Latencies count from when a
// request was due.
func neighbour(ctx context.Context, s *stack.Stack, length time.Duration) latencies {
	var (
		mu  sync.Mutex
		got latencies
		all sync.WaitGroup
	)
	began := time.Now()
	for n := range int(length.Seconds() * goodRate) {
		due := began.Add(time.Duration(n) * time.Second / goodRate)
		select {
		case <-ctx.Done():
		case <-time.After(time.Until(due)):
		}
		all.Go(func() {
			err := askGood(ctx, s)
			took := time.Since(due)
			mu.Lock()
			defer mu.Unlock()
			got.add(took, err)
		})
	}
	all.Wait()
	return got
}

// hitBomb asks the bomb with some clients, each anew as soon as it has an answer
// or has waited long enough, and counts what they got.
func hitBomb(ctx context.Context, s *stack.Stack) map[string]int {
	var (
		mu  sync.Mutex
		got = make(map[string]int)
		all sync.WaitGroup
	)
	end := time.Now().Add(bombTime)
	for range bombClients {
		all.Go(func() {
			for time.Now().Before(end) && ctx.Err() == nil {
				asking, cancel := context.WithTimeout(ctx, patience)
				status := 0
				response, err := s.Get(asking, bombHost, "/")
				if err == nil {
					status = response.StatusCode
				}
				cancel()
				answer := classify(status, err)
				mu.Lock()
				got[answer]++
				mu.Unlock()
				if answer == refused {
					time.Sleep(100 * time.Millisecond) // nobody is there, and asking costs processor time
				}
			}
		})
	}
	all.Wait()
	return got
}

// A watch is what was seen of a stack's memory.
type watch struct {
	peak   int64    // bytes, all processes together
	killed []string // processes that went over the limit
}

// watchMemory ends what goes over the limit, until ctx ends.
func watchMemory(ctx context.Context, s *stack.Stack) watch {
	var w watch
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return w
		case <-tick.C:
		}
		groups, err := s.Groups()
		if err != nil {
			continue // a process ended while it was looked at
		}
		var sum int64
		for _, g := range groups {
			sum += g.RSS
			if g.RSS > memoryLimit && !slices.Contains(w.killed, g.Name) && s.Kill(g.Name) == nil {
				w.killed = append(w.killed, g.Name)
			}
		}
		w.peak = max(w.peak, sum)
	}
}

// isTimeout reports whether a client gave up.
func isTimeout(err error) bool {
	var timeout interface{ Timeout() bool }
	return errors.Is(err, context.DeadlineExceeded) || errors.As(err, &timeout) && timeout.Timeout()
}
