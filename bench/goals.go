package main

import (
	"fmt"
	"io"

	"github.com/nano-runtime/nano/bench/stack"
)

// A goal is a figure of NANO, or its ratio to that of another stack or workload.
type goal struct {
	title           string
	workload, shape string
	metric          metric
	against         stack.Kind // "": nobody
	shapeAgainst    string     // NANO's own shape of the same workload; "": none
	least, aim      float64
}

// less reports whether a goal is reached by what is below it.
func (g goal) less() bool { return g.metric != throughput }

func goals() []goal {
	const usual = "32 connections"
	list := []goal{
		{title: "hello", workload: "hello", shape: usual, metric: throughput, against: stack.NginxDeno, least: 1.3, aim: 2.5},
		{title: "hello", workload: "hello", shape: usual, metric: throughput, against: stack.NginxNode, least: 1.8, aim: 3},
		{title: "hello", workload: "hello", shape: usual, metric: throughput, against: stack.CaddyDeno, least: 3, aim: 6},
		{title: "hello", workload: "hello", shape: usual, metric: throughput, against: stack.Workerd, least: 3, aim: 6},
		{title: "hello", workload: "hello", shape: usual, metric: throughput, against: stack.Deno, least: 0.5, aim: 1},
		{title: "hello", workload: "hello", shape: usual, metric: cpuTime, against: stack.NginxDeno, least: 0.75, aim: 0.4},
		{title: "hello, 1 connection", workload: "hello", shape: "1 connection", metric: latency50, against: stack.NginxDeno, least: 0.8, aim: 0.5},
	}
	for _, w := range []struct {
		name, title, shape string
		least, aim         float64
	}{
		{"json", "JSON API", usual, 1.1, 1.5},
		{"ssr", "React page", usual, 1.1, 1.5},
		{"timer", "5 ms timer", "256 connections", 1.1, 1.5},
		{"upstream", "upstream fetch", usual, 1.1, 1.5},
		{"big", "1 MB response", usual, 0.8, 1.2},
		{"asset", "static file", usual, 0.8, 1.2},
	} {
		list = append(list, goal{title: w.title, workload: w.name, shape: w.shape, metric: throughput, against: stack.NginxDeno, least: w.least, aim: w.aim})
	}
	return append(list,
		goal{title: "all apps by Host, against one app", workload: "hosts", shape: "all apps evenly", shapeAgainst: "one app", metric: throughput, least: 0.9, aim: 1},
		goal{title: "many apps awake, against one process each", workload: "awake", shape: "many apps", metric: memoryApp, against: stack.Deno, least: 0.05, aim: 0.02},
		goal{title: "cold start, small app", workload: "cold", shape: "hello", metric: wait, least: 15, aim: 4},
		goal{title: "cold start, bundle of 500 KB", workload: "cold", shape: "bulky", metric: wait, least: 60, aim: 15},
		goal{title: "start to first answer, many apps", workload: "boot", shape: "many apps", metric: wait, least: 3000, aim: 500},
	)
}

func (r report) row(workload, shape string) *row {
	for _, row := range r.rows {
		if row.workload == workload && row.shape == shape {
			return row
		}
	}
	return nil
}

// reached is what came of a goal, in words.
func (r report) reached(g goal) (figure, verdict string) {
	row := r.row(g.workload, g.shape)
	if row == nil {
		return "", ""
	}
	got := row.of(stack.Nano, g.metric)
	value := median(got)
	if len(got) > 0 {
		figure = number(value)
	}
	if g.against != "" || g.shapeAgainst != "" {
		other := row
		kind := g.against
		if g.shapeAgainst != "" {
			other, kind = r.row(g.workload, g.shapeAgainst), stack.Nano
		}
		c, ok := compare(got, other.of(kind, g.metric))
		if !ok {
			return "", ""
		}
		value, figure = c.median, c.String()
	}
	if figure == "" {
		return "", ""
	}
	better := func(than float64) bool { return g.less() && value <= than || !g.less() && value >= than }
	switch {
	case better(g.aim):
		return figure, "aim reached"
	case better(g.least):
		return figure, "reached"
	}
	return figure, "**missed**"
}

// goals writes the table of them.
func (r report) goals(w io.Writer) {
	fmt.Fprint(w, "|  | against | figure | NANO | at least | aim |  |\n|---|---|---|---:|---:|---:|---|\n")
	for _, g := range goals() {
		figure, verdict := r.reached(g)
		if figure == "" {
			continue
		}
		unit := "×"
		against := string(g.against)
		if against == "" && g.shapeAgainst == "" {
			unit = ""
		}
		if against == "" {
			against = g.shapeAgainst
		}
		fmt.Fprintf(w, "| %s | %s | %s | %s | %v%s | %v%s | %s |\n", g.title, against, g.metric, figure, g.least, unit, g.aim, unit, verdict)
	}
}
