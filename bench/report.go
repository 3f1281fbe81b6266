package main

import (
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/nano-runtime/nano/bench/stack"
)

// A report is all that was measured, for people.
type report struct {
	size    size
	took    time.Duration
	machine machine
	missing []string
	failed  []error
	rows    []*row
}

func (l *lab) report(took time.Duration) report {
	return report{size: l.size, took: took, machine: describeMachine(l.tools), missing: l.missing, failed: l.failed, rows: l.rows}
}

// write writes benchmarks.md and benchmarks.svg.
func (r report) write(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	var text, plot strings.Builder
	r.document(&text)
	drawPlot(&plot, r.rows)
	if err := os.WriteFile(filepath.Join(dir, "benchmarks.svg"), []byte(plot.String()), 0o644); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "benchmarks.md"), []byte(text.String()), 0o644)
}

// document writes benchmarks.md.
func (r report) document(w io.Writer) {
	fmt.Fprintf(w, `# Benchmarks

NANO side by side with what one would build instead, on one machine, in one run. Only the ratios mean something on another machine: make the table there, with

    make bench

It needs what building NANO needs; peers that aren't installed are left out, and it says how to install them. It takes about %d minutes and writes this file anew. `+"`make bench-short`"+` is a smoke test, and `+"`go run ./bench -h`"+` lists the rest.

![throughput of NANO divided by that of the others](benchmarks.svg)

## Goals

Each is the median of the ratios of single rounds, with the middle half of them in brackets. [performance.md](performance.md) says where the time goes.

`, int(math.Ceil(r.took.Minutes())))
	r.goals(w)
	r.machine.print(w)
	if len(r.missing) > 0 {
		fmt.Fprintf(w, "\nNot on that machine: %s.\n", strings.Join(r.missing, "; "))
	}
	fmt.Fprintf(w, `
## How it is measured

- The same handlers (bench/handlers), bundled once by esbuild, run on all stacks; each answer is checked before anything is counted, and the status and length of every answer after that.
- Stacks run as their manuals say for production: one process for each app of Deno and Node (on Node through @hono/node-server), nginx with kept connections to its apps, workerd with a service for each app. So an app of theirs has one core, and NANO's, whose default is two isolates an app, may have both: what a request costs is in the columns of CPU. No stack logs requests. NANO has its defaults, but for access_log, watch and the egress that the upstream needs, and apps that are to sleep do so after a second.
- All stacks of a workload are up at once and get turns of %v, A B C A B C …, in all shapes of the workload one after the other, %d rounds after one to warm up (ten with many apps). A ratio is taken within a round, so that a machine whose speed drifts doesn't matter.
- The load generator (bench/load) is one thread on the same machine. It sends as fast as each connection answers; and then at a fixed rate, half of what the slowest stack did, where every request that was due is sent, and latency counts from when it was due, not from when it could be sent.
- CPU time is that of all processes of a stack, from the kernel's clocks. Memory is that of all its processes after the load of all shapes; what they share with one another counts once, and what they share with other stacks in full.

`, r.size.turn, r.size.rounds)
	r.tables(w)
	if len(r.failed) > 0 {
		fmt.Fprintf(w, "\n## What failed in this run\n\n")
	}
	for _, err := range r.failed {
		line, _, _ := strings.Cut(err.Error(), "\n")
		fmt.Fprintf(w, "- %s\n", line)
	}
}

// print writes what a terminal has room for.
func (r report) print(w io.Writer) {
	r.goals(w)
	fmt.Fprintln(w)
	r.tables(w)
}

// tables writes a table for each row.
func (r report) tables(w io.Writer) {
	fmt.Fprintln(w, "## Workloads")
	for _, row := range r.rows {
		fmt.Fprintf(w, "\n### %s\n\n", row.title)
		row.table(w)
	}
}

// metrics are the columns of tables, and which is better.
func metrics() []metric {
	return []metric{throughput, wait, memoryApp, cpuTime, latency50, latency99, paced50, paced99, memory}
}

// compared reports whether a column has NANO's ratio to the others beside it.
func compared(column int, m metric) bool {
	return column == 0 || m == cpuTime || m == paced99
}

func (r *row) table(w io.Writer) {
	var columns []metric
	for _, m := range metrics() {
		for _, k := range stack.Kinds() {
			if len(r.of(k, m)) > 0 {
				columns = append(columns, m)
				break
			}
		}
	}
	if len(columns) == 0 {
		fmt.Fprintln(w, "Nothing was measured.")
		return
	}
	alone := len(r.values) == 1
	head, line := "|  |", "|---|"
	for i, m := range columns {
		head += " " + r.heading(m) + " |"
		line += "---:|"
		if compared(i, m) && !alone {
			head += " NANO ÷ it |"
			line += "---:|"
		}
	}
	fmt.Fprintf(w, "%s\n%s\n", head, line)
	for _, k := range stack.Kinds() {
		if r.values[k] == nil {
			continue
		}
		fmt.Fprintf(w, "| %s |", k)
		for i, m := range columns {
			fmt.Fprintf(w, " %s |", number(median(r.of(k, m))))
			if !compared(i, m) || alone {
				continue
			}
			if c, ok := compare(r.of(stack.Nano, m), r.of(k, m)); ok && k != stack.Nano {
				fmt.Fprintf(w, " %s |", c)
			} else {
				fmt.Fprint(w, "  |")
			}
		}
		fmt.Fprintln(w)
	}
	for _, k := range stack.Kinds() {
		if n := r.errors[k]; n > 0 {
			fmt.Fprintf(w, "\n%s failed %d requests.\n", k, n)
		}
	}
	if r.busiest > 0.9 {
		fmt.Fprintf(w, "\nThe load generator was busy for %.0f %% of the time at most: the fastest of these could be faster.\n", r.busiest*100)
	}
	for _, note := range r.notes {
		fmt.Fprintf(w, "\n%s\n", note)
	}
}

func (r *row) heading(m metric) string {
	switch m {
	case paced50:
		return fmt.Sprintf("p50 µs at %s/s", number(r.rate))
	case paced99:
		return fmt.Sprintf("p99 µs at %s/s", number(r.rate))
	}
	return string(m)
}

func (r ratio) String() string {
	if r.rounds == 1 {
		return digits(r.median) + "×"
	}
	return fmt.Sprintf("%s× (%s–%s)", digits(r.median), digits(r.low), digits(r.high))
}

// digits writes a ratio with as many digits as mean something.
func digits(x float64) string {
	switch {
	case x < 0.1:
		return fmt.Sprintf("%.3f", x)
	case x < 10:
		return fmt.Sprintf("%.2f", x)
	}
	return fmt.Sprintf("%.1f", x)
}

// number writes three digits at least, and no more than whole ones; "–" for NaN.
func number(x float64) string {
	switch {
	case math.IsNaN(x):
		return "–"
	case x < 10:
		return fmt.Sprintf("%.2f", x)
	case x < 100:
		return fmt.Sprintf("%.1f", x)
	}
	s := fmt.Sprintf("%.0f", x)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
