package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/nano-runtime/nano/bench/load"
	"github.com/nano-runtime/nano/bench/stack"
)

// An episode is a workload that is about starting, sleeping and memory, not about
// throughput.
type episode struct {
	name, title string
	run         func(context.Context, *lab) error
}

func episodes() []episode {
	return []episode{
		{"cold", "cold start: the first answer of an app that sleeps", runCold},
		{"boot", "from the start of the stack to its first answer, with many apps", runBoot},
		{"awake", "memory an app, with many apps awake", runAwake},
		{"known", "many apps, few of them in use", runKnown},
		{"reload", "reload of one app under load", runReload},
	}
}

// The shortest idle that NANO takes: its apps are asleep soon after they are
// loaded.
const sleepSoon = "idle = \"1s\"\n"

// runCold wakes apps of NANO, each for the first time. The others have no
// sleeping apps: what they do instead is to start a process.
func runCold(ctx context.Context, l *lab) error {
	for _, c := range []struct{ app, title string }{
		{"hello", "cold start, small app"},
		{"bulky", "cold start, bundle of 500 KB"},
	} {
		row := l.newRow("cold", c.app, c.title)
		var nano *stack.Stack
		var sleepers []stack.App
		if l.here(stack.Nano) {
			apps, err := l.apps(c.app, l.size.cold+1)
			if err != nil {
				return err
			}
			if nano, err = l.start(ctx, stack.Nano, apps, sleepSoon); err != nil {
				return err
			}
			defer nano.Stop()
			sleepers = apps[1:] // the first has shown that NANO serves
			if err := allAsleep(ctx, nano); err != nil {
				return err
			}
		}
		one, err := l.apps(c.app, 1)
		if err != nil {
			return err
		}
		for round := range l.size.cold {
			if nano != nil {
				began := time.Now()
				if err := expect(ctx, nano, sleepers[round].Host); err != nil {
					return fmt.Errorf("%w%s", err, nano.Logs())
				}
				row.add(stack.Nano, wait, millis(time.Since(began)))
			}
			for _, k := range []stack.Kind{stack.Workerd, stack.Deno, stack.Node} {
				if !l.here(k) {
					continue
				}
				s, err := l.start(ctx, k, one, "")
				if ctx.Err() != nil {
					return ctx.Err()
				}
				if err != nil {
					l.fail(err)
					continue
				}
				row.add(k, wait, millis(s.Booted))
				s.Stop()
			}
		}
		l.logWaits(row)
	}
	return nil
}

// runBoot starts stacks with many apps over and over.
func runBoot(ctx context.Context, l *lab) error {
	apps, err := l.apps("hello", l.size.bootApps)
	if err != nil {
		return err
	}
	row := l.newRow("boot", "many apps", fmt.Sprintf("start to first answer, %d apps", len(apps)))
	for range l.size.rounds {
		for _, k := range []stack.Kind{stack.Nano, stack.WorkerdRouter} {
			if !l.here(k) {
				continue
			}
			s, err := l.start(ctx, k, apps, "")
			if err != nil {
				return err
			}
			row.add(k, wait, millis(s.Booted))
			err = expect(ctx, s, apps[len(apps)-1].Host)
			s.Stop()
			if err != nil {
				return err
			}
		}
	}
	l.logWaits(row)
	return nil
}

// runAwake asks each of many apps and looks at the memory of the stack. Of a
// stack with a process an app, a few processes stand for all: what each has for
// itself, and once what they share.
func runAwake(ctx context.Context, l *lab) error {
	apps, err := l.apps("hello", l.size.apps)
	if err != nil {
		return err
	}
	row := l.newRow("awake", "many apps", fmt.Sprintf("memory an app, %d apps awake", len(apps)))
	row.notes = append(row.notes, fmt.Sprintf("Deno and Node: one process an app, worked out from %d processes, with what they share counted once.", l.size.samples))
	for _, k := range []stack.Kind{stack.Nano, stack.WorkerdRouter} {
		if !l.here(k) {
			continue
		}
		s, err := l.start(ctx, k, apps, "")
		if err != nil {
			return err
		}
		defer s.Stop()
		for _, app := range apps {
			if err := expect(ctx, s, app.Host); err != nil {
				return err
			}
		}
		u, err := s.Usage()
		if err != nil {
			return err
		}
		row.add(k, memory, float64(u.Alone)/1e6)
		row.add(k, memoryApp, float64(u.Alone)/1e6/float64(len(apps)))
	}
	for _, k := range []stack.Kind{stack.Deno, stack.Node} {
		if !l.here(k) {
			continue
		}
		all, err := l.sample(ctx, k, len(apps))
		if err != nil {
			return err
		}
		row.add(k, memory, all/1e6)
		row.add(k, memoryApp, all/1e6/float64(len(apps)))
	}
	for _, k := range stack.Kinds() {
		if v := row.of(k, memoryApp); v != nil {
			l.logf("awake: %-14s %6.2f MB an app", k, median(v))
		}
	}
	return nil
}

// sample starts a few processes and returns how many bytes n of them would use.
func (l *lab) sample(ctx context.Context, k stack.Kind, n int) (float64, error) {
	one, err := l.apps("hello", 1)
	if err != nil {
		return 0, err
	}
	var samples []*stack.Stack
	defer func() {
		for _, s := range samples {
			s.Stop()
		}
	}()
	for range l.size.samples {
		s, err := l.start(ctx, k, one, "")
		if err != nil {
			return 0, err
		}
		samples = append(samples, s)
	}
	var private, shared float64
	for _, s := range samples {
		u, err := s.Usage()
		if err != nil {
			return 0, err
		}
		private += float64(u.Private)
		shared += float64(u.PSS - u.Private)
	}
	return private/float64(len(samples))*float64(n) + shared, nil
}

// runKnown has NANO know many apps and loads a few of them.
func runKnown(ctx context.Context, l *lab) error {
	if !l.here(stack.Nano) {
		return nil
	}
	apps, err := l.apps("hello", l.size.known)
	if err != nil {
		return err
	}
	row := l.newRow("known", "few of many", fmt.Sprintf("%d apps, %d of them in use", len(apps), l.size.hot))
	s, err := l.start(ctx, stack.Nano, apps, sleepSoon)
	if err != nil {
		return err
	}
	defer s.Stop()
	w := hello()
	hot := apps[:l.size.hot]
	size, err := check(ctx, s, hot, w.page)
	if err != nil {
		return err
	}
	plan := l.plan(s, hot, w.page, shape{conns: 32}, size)
	return l.turns(ctx, []series{{row: row, plans: []load.Plan{plan}}}, []*stack.Stack{s}, 1)
}

// runReload loads a few apps evenly at a fixed rate, without and with one of them
// being reloaded all the time.
func runReload(ctx context.Context, l *lab) error {
	if !l.here(stack.Nano) {
		return nil
	}
	apps, err := l.apps("hello", 10)
	if err != nil {
		return err
	}
	s, err := l.start(ctx, stack.Nano, apps, "")
	if err != nil {
		return err
	}
	defer s.Stop()
	w := hello()
	size, err := check(ctx, s, apps, w.page)
	if err != nil {
		return err
	}
	plan := l.plan(s, apps, w.page, shape{conns: 32}, size)
	quiet := l.newRow("reload", "none", "10 apps at a fixed rate")
	busy := l.newRow("reload", "one", "the same, one of them reloaded five times a second")
	if err := l.turn(ctx, quiet, s, plan, true); err != nil {
		return err
	}
	plan.Rate = round2(median(quiet.of(stack.Nano, throughput)) / 2)
	quiet.rate, busy.rate = plan.Rate, plan.Rate
	quiet.values = map[stack.Kind]map[metric][]float64{}
	plan.For = l.size.calm
	plan.Count = 0
	reloads := 0
	for range l.size.rounds {
		if err := l.turn(ctx, quiet, s, plan, true); err != nil {
			return err
		}
		n, err := l.whileReloading(ctx, s, apps[0].Name, func() error { return l.turn(ctx, busy, s, plan, true) })
		if err != nil {
			return err
		}
		reloads += n
	}
	busy.notes = append(busy.notes, fmt.Sprintf("%d reloads while %d requests failed.", reloads, busy.errors[stack.Nano]))
	l.logf("reload: p99 %.0f µs without, %.0f µs with; %d reloads, %d requests failed",
		median(quiet.of(stack.Nano, paced99)), median(busy.of(stack.Nano, paced99)), reloads, busy.errors[stack.Nano])
	return nil
}

// whileReloading reloads an app five times a second while do runs, and returns
// how often.
func (l *lab) whileReloading(ctx context.Context, s *stack.Stack, app string, do func() error) (reloads int, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	done := make(chan error, 1)
	go func() {
		done <- do()
		cancel()
	}()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case err := <-done:
			return reloads, err
		case <-tick.C:
			if err := admin(ctx, s, http.MethodPost, "/admin/apps/"+app+"/reload", nil); err == nil {
				reloads++
			} else if ctx.Err() == nil {
				cancel()
				<-done
				return reloads, err
			}
		}
	}
}

// allAsleep waits until all apps of NANO sleep.
func allAsleep(ctx context.Context, s *stack.Stack) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		var list struct {
			Apps []struct {
				Name, State string
			} `json:"apps"`
		}
		if err := admin(ctx, s, http.MethodGet, "/admin/apps", &list); err != nil {
			return err
		}
		awake := ""
		for _, app := range list.Apps {
			if app.State != "sleeping" {
				awake = app.Name + " is " + app.State
			}
		}
		if awake == "" && len(list.Apps) > 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the apps don't fall asleep: %s", awake)
		case <-tick.C:
		}
	}
}

// admin asks NANO's admin API.
func admin(ctx context.Context, s *stack.Stack, method, path string, answer any) error {
	client := http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "unix", s.Admin)
		},
	}}
	request, err := http.NewRequestWithContext(ctx, method, "http://localhost"+path, nil)
	if err != nil {
		return err
	}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode >= 300 {
		return fmt.Errorf("%s %s: %s", method, path, response.Status)
	}
	if answer == nil {
		return nil
	}
	return json.NewDecoder(response.Body).Decode(answer)
}

// expect asks an app for a page and wants it to answer.
func expect(ctx context.Context, s *stack.Stack, host string) error {
	response, err := s.Get(ctx, host, "/some/path")
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("the answer of %s is %s", host, response.Status)
	}
	return nil
}

func (l *lab) logWaits(r *row) {
	for _, k := range stack.Kinds() {
		if v := r.of(k, wait); v != nil {
			l.logf("%s: %-14s %7.1f ms", r.title, k, median(v))
		}
	}
}

func millis(d time.Duration) float64 { return float64(d) / 1e6 }
