package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math"
	"time"

	"github.com/nano-runtime/nano/bench/load"
	"github.com/nano-runtime/nano/bench/stack"
)

// runWorkload starts all stacks that can serve it and gives them turns.
func (l *lab) runWorkload(ctx context.Context, w workload) error {
	count := 1
	if w.apps != nil {
		count = w.apps(l.size)
	}
	apps, err := l.apps(w.app, count)
	if err != nil {
		return err
	}
	var stacks []*stack.Stack
	defer func() {
		for _, s := range stacks {
			s.Stop()
		}
	}()
	var sizes []int // of the answers
	for _, k := range w.kinds {
		if !l.here(k) {
			continue
		}
		l.logf("%s: starting %s", w.name, k)
		s, err := l.start(ctx, k, apps, "")
		if ctx.Err() != nil {
			if err == nil {
				s.Stop()
			}
			return ctx.Err()
		}
		if err != nil {
			l.fail(err)
			continue
		}
		size, err := check(ctx, s, apps, w.page)
		if err != nil {
			s.Stop()
			l.fail(fmt.Errorf("%s on %s: %w%s", w.name, k, err, s.Logs()))
			continue
		}
		stacks, sizes = append(stacks, s), append(sizes, size)
	}
	var list []series
	for _, shape := range w.shapes {
		one := series{row: l.newRow(w.name, shape.name, w.title+", "+shape.name), paced: shape.paced}
		for i, s := range stacks {
			one.plans = append(one.plans, l.plan(s, apps, w.page, shape, sizes[i]))
		}
		list = append(list, one)
	}
	return l.turns(ctx, list, stacks, max(w.warm, 1))
}

// A series is one shape's plans, one for each stack, and where it goes what comes of them.
type series struct {
	row   *row
	plans []load.Plan
	paced bool
}

// check asks each app with a real client, and returns the length of the answers.
func check(ctx context.Context, s *stack.Stack, apps []stack.App, p page) (size int, err error) {
	for _, app := range apps {
		ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
		defer cancel()
		response, err := s.Do(ctx, p.method, app.Host, p.path, p.body)
		if err != nil {
			return 0, err
		}
		body, err := io.ReadAll(response.Body)
		if err != nil {
			return 0, err
		}
		if response.StatusCode != p.status {
			return 0, fmt.Errorf("the answer is %s, not %d: %.200q", response.Status, p.status, body)
		}
		if err := p.check(body); err != nil {
			return 0, err
		}
		size = len(body)
	}
	return size, nil
}

func (l *lab) plan(s *stack.Stack, apps []stack.App, p page, shape shape, size int) load.Plan {
	if shape.hosts > 0 {
		apps = apps[:shape.hosts]
	}
	plan := load.Plan{
		Addr: s.Addr, Conns: shape.conns, KeepAlive: !shape.closes,
		For: l.size.turn, Count: l.size.count, Status: p.status, Body: size,
	}
	for _, app := range apps {
		plan.Requests = append(plan.Requests, p.request(app.Host, shape.closes))
	}
	return plan
}

// request is the page's request, serialised.
func (p page) request(host string, closes bool) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: nano-bench\r\nAccept: */*\r\n", p.method, p.path, host)
	if closes {
		b.WriteString("Connection: close\r\n")
	}
	if p.body != nil {
		fmt.Fprintf(&b, "Content-Type: application/json\r\nContent-Length: %d\r\n", len(p.body))
	}
	b.WriteString("\r\n")
	b.Write(p.body)
	return b.Bytes()
}

// turns loads the stacks turn by turn, all shapes in each round: first as fast as they
// answer, then, where a shape is paced, all at the same rate, that the slowest of them can
// stand. warm is how many times the usual time passes before the first turn that counts.
func (l *lab) turns(ctx context.Context, list []series, stacks []*stack.Stack, warm int) error {
	for round := -l.size.warm * warm; round < l.size.rounds; round++ {
		for _, one := range list {
			for i, s := range stacks {
				if err := l.turn(ctx, one.row, s, one.plans[i], round >= 0); err != nil {
					return err
				}
			}
		}
	}
	for _, one := range list {
		if one.paced && len(stacks) > 0 {
			one.row.rate = l.pace(one.row, stacks)
		}
	}
	for range l.size.rounds {
		for _, one := range list {
			for i, s := range stacks {
				plan := one.plans[i]
				if plan.Rate = one.row.rate; plan.Rate == 0 {
					continue
				}
				if err := l.turn(ctx, one.row, s, plan, true); err != nil {
					return err
				}
			}
		}
	}
	for _, s := range stacks {
		u, err := s.Usage()
		if err != nil {
			l.fail(fmt.Errorf("%s: %w", s.Kind, err))
			continue
		}
		for _, one := range list {
			row := one.row
			row.add(s.Kind, memory, float64(u.Alone)/1e6)
			l.logf("%s, %s: %-14s %8.0f/s  %6.1f µs CPU  p99 %6.0f µs", row.workload, row.shape, s.Kind,
				median(row.of(s.Kind, throughput)), median(row.of(s.Kind, cpuTime)), median(row.of(s.Kind, latency99)))
		}
	}
	return nil
}

// pace is a rate that all stacks can stand.
func (l *lab) pace(row *row, stacks []*stack.Stack) float64 {
	if l.size.rate > 0 {
		return l.size.rate
	}
	slowest := math.Inf(1)
	for _, s := range stacks {
		if rate := median(row.of(s.Kind, throughput)); rate > 0 {
			slowest = min(slowest, rate)
		}
	}
	return round2(min(max(slowest/2, 1), 1e6))
}

// turn loads one stack once.
func (l *lab) turn(ctx context.Context, row *row, s *stack.Stack, plan load.Plan, counts bool) error {
	before, err := s.CPU()
	if err != nil {
		return err
	}
	result, err := load.Run(ctx, plan)
	if err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		// It may have died: the others go on, and it has zeros from here on.
		row.errors[s.Kind]++
		l.fail(fmt.Errorf("%s, %s on %s: %w%s", row.workload, row.shape, s.Kind, err, s.Logs()))
		result = new(load.Result)
	}
	after, err := s.CPU()
	if err != nil {
		return err
	}
	if result.Errors > 0 {
		row.errors[s.Kind] += result.Errors
		l.fail(fmt.Errorf("%s, %s on %s: %d of %d requests failed: %w", row.workload, row.shape, s.Kind,
			result.Errors, result.Errors+result.Done, result.FirstError))
	}
	if !counts {
		return nil
	}
	if result.Done == 0 { // which keeps the rounds of all stacks together
		columns := []metric{throughput, cpuTime, latency50, latency99}
		if plan.Rate > 0 {
			columns = []metric{paced50, paced99}
		}
		for _, m := range columns {
			row.add(s.Kind, m, 0)
		}
		return nil
	}
	if plan.Rate > 0 {
		row.add(s.Kind, paced50, micros(result.Latency.Quantile(0.5)))
		row.add(s.Kind, paced99, micros(result.Latency.Quantile(0.99)))
		return nil
	}
	row.busiest = max(row.busiest, result.Busy)
	row.add(s.Kind, throughput, result.Throughput)
	row.add(s.Kind, cpuTime, micros(after-before)/float64(result.Done))
	row.add(s.Kind, latency50, micros(result.Latency.Quantile(0.5)))
	row.add(s.Kind, latency99, micros(result.Latency.Quantile(0.99)))
	return nil
}

func micros(d time.Duration) float64 { return float64(d) / 1e3 }

// round2 rounds down to two digits.
func round2(x float64) float64 {
	unit := math.Pow(10, math.Floor(math.Log10(x))-1)
	return math.Floor(x/unit) * unit
}
