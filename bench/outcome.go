package main

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/nano-runtime/nano/bench/load"
)

// What a bomb's client gets, if it isn't a status.
const (
	noAnswer = "no answer" // in the time that it waited
	refused  = "refused"   // nobody listens
	broken   = "broken"    // the connection ended before the answer did
)

// classify says what a bomb's client got.
func classify(status int, err error) string {
	switch {
	case err == nil:
		return strconv.Itoa(status)
	case isTimeout(err):
		return noAnswer
	case errors.Is(err, syscall.ECONNREFUSED):
		return refused
	}
	return broken
}

// latencies are those of one app; a request that failed has none.
type latencies struct {
	answered load.Histogram
	failed   int
}

func (l *latencies) add(took time.Duration, err error) {
	if err != nil {
		l.failed++
		return
	}
	l.answered.Add(took)
}

func (l *latencies) count() int { return l.answered.Count() + l.failed }

// p99 counts a request that failed as slower than all others; ok is false if
// there are so many of them that there is no answer to name.
func (l *latencies) p99() (p time.Duration, ok bool) {
	answered := float64(l.answered.Count())
	rank := 0.99 * float64(l.count())
	if answered == 0 || rank > answered {
		return 0, false
	}
	return l.answered.Quantile(rank / answered), true
}

func (l *latencies) String() string {
	p, ok := l.p99()
	if !ok {
		return "none"
	}
	return number(float64(p)/1e6) + " ms"
}

// An outcome is what a bomb did to a host.
type outcome struct {
	host          string
	quiet, during latencies      // of the good app
	answers       map[string]int // that the bomb's clients got
	goodAfter     bool           // the good app answers when the bomb's clients have gone
	ended, killed []string       // processes: by themselves, and because of their memory
	peak          int64          // bytes, all processes together
}

// survives says whether the good app's host does, and what became of processes.
func (o *outcome) survives() string {
	fate := "hangs"
	switch {
	case len(o.killed) > 0:
		fate = fmt.Sprintf("killed at %d GiB", memoryLimit>>30)
	case len(o.ended) > 0:
		fate = "process ended"
	}
	if !o.goodAfter {
		return "**no**: " + fate
	}
	if len(o.killed)+len(o.ended) > 0 {
		return "yes; the bomb's own process: " + strings.TrimPrefix(fate, "process ")
	}
	return "yes"
}

// got lists the answers, the most frequent first.
func (o *outcome) got() string {
	names := slices.SortedFunc(maps.Keys(o.answers), func(a, b string) int {
		if n := o.answers[b] - o.answers[a]; n != 0 {
			return n
		}
		return strings.Compare(a, b)
	})
	for i, name := range names {
		names[i] = fmt.Sprintf("%s × %d", name, o.answers[name])
	}
	return strings.Join(names, ", ")
}

// bombed is what one bomb did to all hosts.
type bombed struct {
	name, tries string
	outcomes    []outcome
}

// A hostileReport is what all bombs did, for people.
type hostileReport struct {
	machine machine
	load    float64 // of the machine when it began: processes that wanted to run
	bombs   []bombed
}

// document writes hostile.md.
func (r hostileReport) document(w io.Writer) {
	fmt.Fprintf(w, `# Hostile neighbours

What one app that does harm costs another on the same host: some of the apps of `+"`make chaos`"+`, set on NANO and on what one would build instead. Make it on another machine with

    make bench-hostile

which takes about ten minutes and writes this file anew; peers that aren't installed are left out. In short:

`)
	r.summary(w)
	r.machine.print(w)
	fmt.Fprintf(w, "\nThe load average was %.1f before it began.\n", r.load)
	fmt.Fprintf(w, `
## How it is tried

- Two apps, a good one that says hello and a bomb, both the same text on all hosts. NANO has its defaults. workerd has a service for each, in one process, and a worker in front that picks by Host. Deno has one process with a module that picks by Host; and, beside that, a process for each app behind nginx. A process an app is what keeps Deno's apps apart, at the price of a process's memory for each, and of somebody who restarts it.
- Each bomb meets a host that was just started. The good app is asked %d times a second, each time on a new connection: alone for %v, then for %v while %d clients ask the bomb, each again as soon as it has its answer. Clients wait for %v.
- It survives if the good app answers within %v when the bomb's clients have gone. Nothing is restarted. "Hangs" means that the process is there, and the good app has no answer from it by then.
- The neighbour's p99 counts from when a request was due, and takes one that failed as slower than all others: "none" if more than 1 %% failed. What else the machine does shows in both; each figure is of one try, of a few hundred requests.
- Memory is the resident memory of all processes at most. A process that has more than %d GiB is ended, so that the machine lives on; on a machine with less, or with more patience, it would be the kernel or V8 that ends it.

`, goodRate, quietTime, bombTime, bombClients, patience, patience, memoryLimit>>30)
	r.tables(w)
}

// summary writes who survives what, one line a host.
func (r hostileReport) summary(w io.Writer) {
	fmt.Fprint(w, "| | survives | neighbour's requests that failed | bombs after which it doesn't answer |\n|---|---:|---:|---|\n")
	for _, h := range hosts() {
		survived, tried, failed, asked := 0, 0, 0, 0
		var fatal []string
		for _, b := range r.bombs {
			for _, o := range b.outcomes {
				if o.host != h.name {
					continue
				}
				tried++
				failed += o.during.failed
				asked += o.during.count()
				if o.goodAfter {
					survived++
				} else {
					fatal = append(fatal, b.name)
				}
			}
		}
		if tried == 0 {
			continue
		}
		if fatal == nil {
			fatal = []string{"none"}
		}
		fmt.Fprintf(w, "| %s | %d of %d | %d of %d | %s |\n", h.name, survived, tried, failed, asked, strings.Join(fatal, ", "))
	}
}

// tables writes a table for each bomb.
func (r hostileReport) tables(w io.Writer) {
	fmt.Fprint(w, "## Bombs\n")
	for _, b := range r.bombs {
		fmt.Fprintf(w, "\n### %s\n\n%s\n\n", b.name, b.tries)
		fmt.Fprint(w, "|  | survives | the bomb's clients got | neighbour's p99, quiet | beside the bomb | failed | memory MiB |\n|---|---|---|---:|---:|---:|---:|\n")
		for _, o := range b.outcomes {
			fmt.Fprintf(w, "| %s | %s | %s | %s | %s | %d of %d | %s |\n",
				o.host, o.survives(), o.got(), &o.quiet, &o.during, o.during.failed, o.during.count(), number(float64(o.peak>>20)))
		}
	}
}
