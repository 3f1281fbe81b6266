package main

import (
	"math"
	"slices"

	"github.com/nano-runtime/nano/bench/stack"
)

// A metric is something that is measured of a stack, with its unit.
type metric string

const (
	throughput metric = "requests/s"
	cpuTime    metric = "CPU µs a request"
	latency50  metric = "p50 µs"
	latency99  metric = "p99 µs"
	paced50    metric = "p50 µs at a fixed rate"
	paced99    metric = "p99 µs at a fixed rate"
	memory     metric = "memory MB"
	memoryApp  metric = "memory MB an app"
	wait       metric = "ms"
)

// A row is one comparison: what was measured of each stack, by round.
type row struct {
	workload, shape string
	title           string
	rate            float64 // requests/s of the paced turns; 0: there are none
	busiest         float64 // share of a core that the load generator used at most
	errors          map[stack.Kind]int
	values          map[stack.Kind]map[metric][]float64
	notes           []string
}

func (l *lab) newRow(workload, shape, title string) *row {
	r := &row{workload: workload, shape: shape, title: title, errors: map[stack.Kind]int{}, values: map[stack.Kind]map[metric][]float64{}}
	l.rows = append(l.rows, r)
	return r
}

// add adds what was measured in the next round.
func (r *row) add(k stack.Kind, m metric, value float64) {
	if r.values[k] == nil {
		r.values[k] = make(map[metric][]float64)
	}
	r.values[k][m] = append(r.values[k][m], value)
}

func (r *row) of(k stack.Kind, m metric) []float64 { return r.values[k][m] }

// A ratio is the median of the ratios of single rounds, and the middle half of
// them.
type ratio struct {
	median, low, high float64
	rounds            int
}

// compare divides round by round what was measured; a round in which a machine
// stood still, and nothing was, doesn't count. ok is false if there is nothing to
// compare.
func compare(a, b []float64) (r ratio, ok bool) {
	var ratios []float64
	for i := range min(len(a), len(b)) {
		if a[i] > 0 && b[i] > 0 {
			ratios = append(ratios, a[i]/b[i])
		}
	}
	if len(ratios) == 0 {
		return ratio{}, false
	}
	return ratio{median(ratios), quantile(ratios, 0.25), quantile(ratios, 0.75), len(ratios)}, true
}

func median(values []float64) float64 { return quantile(values, 0.5) }

// quantile interpolates between the two nearest values; NaN if there are none.
func quantile(values []float64, q float64) float64 {
	if len(values) == 0 {
		return math.NaN()
	}
	sorted := slices.Sorted(slices.Values(values))
	at := q * float64(len(sorted)-1)
	low := int(at)
	high := min(low+1, len(sorted)-1)
	return sorted[low] + (at-float64(low))*(sorted[high]-sorted[low])
}
