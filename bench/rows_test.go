package main

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"math"
	"strings"
	"testing"

	"github.com/nano-runtime/nano/bench/stack"
)

func TestCompareTakesRatiosByRound(t *testing.T) {
	// The machine got slower by half and half again; NANO was twice as fast all along.
	got, ok := compare([]float64{400, 200, 100}, []float64{200, 100, 50})
	if !ok || got != (ratio{2, 2, 2, 3}) {
		t.Errorf("compare is %v, %v; want 2× throughout", got, ok)
	}
	got, _ = compare([]float64{1, 2, 3, 4, 5}, []float64{1, 1, 1, 1, 1})
	if got != (ratio{3, 2, 4, 5}) {
		t.Errorf("compare is %v; want 3, middle half from 2 to 4", got)
	}
	got, _ = compare([]float64{0, 3, 5}, []float64{1, 1, 0})
	if got != (ratio{3, 3, 3, 1}) {
		t.Errorf("compare is %v; want 3×, without the rounds that measured nothing", got)
	}
	if _, ok := compare([]float64{1}, nil); ok {
		t.Error("compare found something in nothing")
	}
}

func TestQuantile(t *testing.T) {
	for _, test := range []struct {
		values  []float64
		q, want float64
	}{
		{[]float64{7}, 0.25, 7},
		{[]float64{3, 1, 2}, 0.5, 2},
		{[]float64{4, 1}, 0.5, 2.5},
		{[]float64{4, 1}, 1, 4},
	} {
		if got := quantile(test.values, test.q); got != test.want {
			t.Errorf("quantile(%v, %v) is %v, want %v", test.values, test.q, got, test.want)
		}
	}
	if got := quantile(nil, 0.5); !math.IsNaN(got) {
		t.Errorf("quantile of nothing is %v", got)
	}
}

func TestNumbers(t *testing.T) {
	for x, want := range map[float64]string{0.123: "0.12", 12.34: "12.3", 123.4: "123", 1234: "1,234", 1234567: "1,234,567"} {
		if got := number(x); got != want {
			t.Errorf("number(%v) is %q, want %q", x, got, want)
		}
	}
	for x, want := range map[float64]float64{12345: 12000, 999: 990, 5: 5} {
		if got := round2(x); got != want {
			t.Errorf("round2(%v) is %v, want %v", x, got, want)
		}
	}
}

// measured is a report as a small run makes it.
func measured() report {
	l := &lab{size: shortSize()}
	for _, w := range []struct{ name, shape string }{{"hello", "32 connections"}, {"hosts", "one app"}, {"hosts", "all apps evenly"}} {
		row := l.newRow(w.name, w.shape, w.name+", "+w.shape)
		for i := range 3 {
			row.add(stack.Nano, throughput, float64(3000+i))
			row.add(stack.NginxDeno, throughput, float64(1000+i))
			row.add(stack.Nano, cpuTime, 20)
			row.add(stack.NginxDeno, cpuTime, 20)
		}
	}
	cold := l.newRow("cold", "hello", "cold start, small app")
	cold.add(stack.Nano, wait, 10)
	return report{size: l.size, rows: l.rows, missing: []string{"Caddy→Deno: caddy is missing"}}
}

func TestGoals(t *testing.T) {
	var b strings.Builder
	measured().goals(&b)
	for _, want := range []string{
		"| hello | nginx→Deno | requests/s | 3.00× (3.00–3.00) | 1.3× | 2.5× | aim reached |",
		"| hello | nginx→Deno | CPU µs a request | 1.00× (1.00–1.00) | 0.75× | 0.4× | **missed** |",
		"| all apps by Host, against one app | one app | requests/s | 1.00× (1.00–1.00) | 0.9× | 1× | aim reached |",
		"| cold start, small app |  | ms | 10.0 | 15 | 4 | reached |",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("the goals lack\n%s\nthey are\n%s", want, &b)
		}
	}
}

func TestGoalsNameRowsThatThereAre(t *testing.T) {
	names := make(map[string]bool)
	for _, w := range workloads() {
		for _, s := range w.shapes {
			names[w.name+" "+s.name] = true
		}
	}
	for _, g := range goals() {
		if g.metric == throughput || g.metric == cpuTime || g.metric == latency50 {
			if !names[g.workload+" "+g.shape] || g.shapeAgainst != "" && !names[g.workload+" "+g.shapeAgainst] {
				t.Errorf("no workload has what the goal %q is about: %s, %s", g.title, g.workload, g.shape)
			}
		} else if !isWorkload(g.workload) {
			t.Errorf("there is no workload %q", g.workload)
		}
	}
}

func TestDocument(t *testing.T) {
	var b strings.Builder
	measured().document(&b)
	for _, want := range []string{"make bench", "caddy is missing", "| nginx→Deno | 1,001 | 3.00× (3.00–3.00) | 20.0 |", "benchmarks.svg"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("the document lacks %q:\n%s", want, &b)
		}
	}
}

func TestPlotIsWellFormed(t *testing.T) {
	var b bytes.Buffer
	drawPlot(&b, measured().rows)
	if strings.Contains(b.String(), "NaN") {
		t.Errorf("the plot has NaN:\n%s", &b)
	}
	for d := xml.NewDecoder(&b); ; {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			t.Fatal(err)
		}
	}
}
