package admin

import (
	"net/http"
	"runtime"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/nano-runtime/nano/app"
	"github.com/nano-runtime/nano/isolate"
)

// metrics reads what the apps count when somebody asks: a request pays nothing for it.
type metrics struct {
	Options

	requests, latency, inFlight, waiting, waits, waited         *prometheus.Desc
	isolates, heap, reserved, external, cpu                     *prometheus.Desc
	limits, exceptions, coldStarts, coldTime, lost, state, info *prometheus.Desc
	reloads, lastReload, build, connections, refused            *prometheus.Desc
	budget, budgetMax, noRoom                                   *prometheus.Desc
}

func newMetrics(o Options) http.Handler {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("nano_"+name, help, labels, nil)
	}
	m := &metrics{
		Options:     o,
		requests:    desc("app_requests_total", "Requests by status; none: the client went away first.", "app", "code"),
		latency:     desc("app_request_duration_seconds", "Time from a request's head to the end of its response.", "app"),
		inFlight:    desc("app_requests_in_flight", "Requests in the app.", "app"),
		waiting:     desc("app_requests_waiting", "Requests in line before the app.", "app"),
		waits:       desc("app_queue_waits_total", "Requests that had to stand in line.", "app"),
		waited:      desc("app_queue_wait_seconds_total", "Time that requests stood in line.", "app"),
		isolates:    desc("app_isolates", "V8 isolates of the app.", "app"),
		heap:        desc("app_heap_bytes", "Bytes in use on the V8 heaps of the app.", "app"),
		reserved:    desc("app_heap_reserved_bytes", "Bytes that the V8 heaps of the app take of the process.", "app"),
		external:    desc("app_external_bytes", "Bytes in array buffers of the app.", "app"),
		cpu:         desc("app_cpu_seconds_total", "Processor time that JavaScript of the app took, without loading.", "app"),
		limits:      desc("app_limit_hits_total", "Limits hit, by kind.", "app", "limit"),
		exceptions:  desc("app_exceptions_total", "Exceptions and unhandled rejections.", "app"),
		coldStarts:  desc("app_cold_starts_total", "Isolates made.", "app"),
		coldTime:    desc("app_cold_start_seconds_total", "Time that making them took.", "app"),
		lost:        desc("app_lost_threads_total", "Threads that the app cost the process.", "app"),
		state:       desc("app_state", "1 for the state that the app is in.", "app", "state"),
		info:        desc("app_info", "1, with the version that serves.", "app", "version", "hash"),
		reloads:     desc("reloads_total", "Changes of the configuration or of apps, the start included, by result.", "result"),
		lastReload:  desc("last_reload_timestamp_seconds", "When the last of them was."),
		build:       desc("build_info", "1, with what the program is made of.", "version", "v8", "go"),
		connections: desc("connections", "Open connections of clients."),
		budget:      desc("heap_budget_used_bytes", "Bytes that V8 heaps take of the budget that all apps share."),
		budgetMax:   desc("heap_budget_bytes", "That budget."),
		noRoom:      desc("isolates_refused_total", "Isolates that there was no room for in the budget."),
		refused:     desc("refused_requests_total", "What could not be read as a request."),
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(m, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return promhttp.HandlerFor(registry, promhttp.HandlerOpts{})
}

// Describe implements prometheus.Collector: which metrics there are depends on the apps.
func (m *metrics) Describe(chan<- *prometheus.Desc) {}

// Collect implements prometheus.Collector.
func (m *metrics) Collect(out chan<- prometheus.Metric) {
	for _, a := range m.Set.Apps() {
		i := a.Info()
		m.collectApp(out, &i)
	}
	counter := func(d *prometheus.Desc, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, v, labels...)
	}
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	loaded, failed := m.Control.Counts()
	counter(m.reloads, float64(loaded), "success")
	counter(m.reloads, float64(failed), "failure")
	gauge(m.lastReload, float64(m.Control.Last().At.UnixMilli())/1000)
	gauge(m.build, 1, m.Version, isolate.V8Version(), runtime.Version())
	b := m.Set.Budget()
	gauge(m.budget, float64(b.Reserved))
	gauge(m.budgetMax, float64(b.MaxReserved))
	counter(m.noRoom, float64(b.Refused))
	if m.Front != nil {
		f := m.Front()
		gauge(m.connections, float64(f.Connections))
		counter(m.refused, float64(f.Refused))
	}
}

func (m *metrics) collectApp(out chan<- prometheus.Metric, i *app.Info) {
	s := &i.Stats
	counter := func(d *prometheus.Desc, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, v, append([]string{i.Name}, labels...)...)
	}
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, append([]string{i.Name}, labels...)...)
	}
	for status, n := range s.Requests {
		counter(m.requests, float64(n), code(status))
	}
	out <- prometheus.MustNewConstHistogram(m.latency, s.Answered, s.LatencySum, s.Latency, i.Name)
	gauge(m.inFlight, float64(s.InFlight))
	gauge(m.waiting, float64(s.Waiting))
	counter(m.waits, float64(s.Waits))
	counter(m.waited, s.Waited.Seconds())
	gauge(m.isolates, float64(s.Isolates))
	gauge(m.heap, float64(s.Heap))
	gauge(m.reserved, float64(s.Reserved))
	gauge(m.external, float64(s.Buffers))
	counter(m.cpu, s.CPU.Seconds())
	for kind, n := range s.Limits {
		counter(m.limits, float64(n), kind)
	}
	counter(m.exceptions, float64(s.Exceptions))
	counter(m.coldStarts, float64(s.ColdStarts))
	counter(m.coldTime, s.ColdTime.Seconds())
	counter(m.lost, float64(s.Lost))
	gauge(m.state, 1, string(i.State))
	if v := i.Version; v.Number > 0 {
		gauge(m.info, 1, strconv.Itoa(v.Number), v.Hash)
	}
}
