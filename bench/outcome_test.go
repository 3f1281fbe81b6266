package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestClassify(t *testing.T) {
	for _, test := range []struct {
		name   string
		status int
		err    error
		want   string
	}{
		{"a status", 503, nil, "503"},
		{"the client gave up", 0, fmt.Errorf("get: %w", context.DeadlineExceeded), noAnswer},
		{"it gave up while it read", 0, &url.Error{Op: "Get", Err: os.ErrDeadlineExceeded}, noAnswer},
		{"nobody listens", 0, &net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}, refused},
		{"the process ended", 0, &net.OpError{Op: "read", Err: os.NewSyscallError("read", syscall.ECONNRESET)}, broken},
		{"the body was cut off", 0, fmt.Errorf("cannot read the answer: %w", io.ErrUnexpectedEOF), broken},
	} {
		if got := classify(test.status, test.err); got != test.want {
			t.Errorf("%s: classify is %q, want %q", test.name, got, test.want)
		}
	}
}

func TestNeighbourCountsFailures(t *testing.T) {
	for _, test := range []struct {
		name           string
		answered, fail int
		want           string
	}{
		{"nothing was asked", 0, 0, "none"},
		{"all failed", 0, 300, "none"},
		{"two of a hundred failed", 98, 2, "none"},
		{"one in two hundred failed", 199, 1, "199 ms"},
		{"none failed", 100, 0, "99 ms"},
	} {
		var l latencies
		for n := range test.answered {
			l.add(time.Duration(n+1)*time.Millisecond, nil)
		}
		for range test.fail {
			l.add(time.Second, errors.New("no answer"))
		}
		if l.count() != test.answered+test.fail {
			t.Errorf("%s: it counts %d", test.name, l.count())
		}
		got, ok := l.p99()
		if !ok {
			if test.want != "none" || l.String() != "none" {
				t.Errorf("%s: there is no p99, and %q is written; want %s", test.name, l.String(), test.want)
			}
			continue
		}
		want, err := time.ParseDuration(strings.ReplaceAll(test.want, " ", ""))
		if err != nil {
			t.Errorf("%s: the p99 is %v; want %s", test.name, got, test.want)
			continue
		}
		// The histogram's buckets are 1.6 % wide.
		if got < want*98/100 || got > want*102/100 {
			t.Errorf("%s: the p99 is %v, want about %v", test.name, got, want)
		}
	}
}

func TestSurvives(t *testing.T) {
	for _, test := range []struct {
		name string
		o    outcome
		want string
	}{
		{"as if nothing were", outcome{goodAfter: true}, "yes"},
		{"it is there and doesn't answer", outcome{}, "**no**: hangs"},
		{"it crashed", outcome{ended: []string{"workerd"}}, "**no**: process ended"},
		{"it took too much", outcome{killed: []string{"deno both"}}, "**no**: killed at 3 GiB"},
		{"only the bomb's process crashed", outcome{goodAfter: true, ended: []string{"deno bomb"}}, "yes; the bomb's own process: ended"},
		{"only the bomb's took too much", outcome{goodAfter: true, killed: []string{"deno bomb"}}, "yes; the bomb's own process: killed at 3 GiB"},
	} {
		if got := test.o.survives(); got != test.want {
			t.Errorf("%s: survives is %q, want %q", test.name, got, test.want)
		}
	}
}

func TestGotIsSorted(t *testing.T) {
	o := outcome{answers: map[string]int{"503": 4, "200": 12, noAnswer: 4}}
	if got, want := o.got(), "200 × 12, 503 × 4, no answer × 4"; got != want {
		t.Errorf("got is %q, want %q", got, want)
	}
}

func TestHostileDocument(t *testing.T) {
	var quiet, during latencies
	quiet.add(time.Millisecond, nil)
	during.add(0, errors.New("refused"))
	r := hostileReport{bombs: []bombed{
		{name: "cpu-loop", tries: "Never returns.", outcomes: []outcome{
			{host: "NANO", quiet: quiet, during: quiet, answers: map[string]int{"503": 3}, goodAfter: true, peak: 64 << 20},
			{host: "Deno, one process", quiet: quiet, during: during, answers: map[string]int{noAnswer: 4}, peak: 1200 << 20},
		}},
		{name: "growth-timers", outcomes: []outcome{
			{host: "NANO", quiet: quiet, during: quiet, goodAfter: true},
			{host: "Deno, one process", quiet: quiet, during: quiet, goodAfter: true},
		}},
	}}
	var b strings.Builder
	r.document(&b)
	text := b.String()
	for _, want := range []string{
		"| NANO | 2 of 2 | 0 of 2 | none |\n",
		"| Deno, one process | 1 of 2 | 1 of 2 | cpu-loop |\n",
		"### cpu-loop\n\nNever returns.\n",
		"| NANO | yes | 503 × 3 | 1.00 ms | 1.00 ms | 0 of 1 | 64.0 |\n",
		"| Deno, one process | **no**: hangs | no answer × 4 | 1.00 ms | none | 1 of 1 | 1,200 |\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the document lacks %q:\n%s", want, text)
		}
	}
	// No host was asked that isn't here.
	if strings.Contains(text, "| workerd, one process |") {
		t.Errorf("the document has a line for a host that was not tried:\n%s", text)
	}
}

// Every bomb is a file, and its first line says what it tries.
func TestBombsAreThere(t *testing.T) {
	for _, name := range bombs() {
		source, err := os.ReadFile(filepath.Join("..", "chaos", "apps", name+".js"))
		if err != nil {
			t.Error(err)
			continue
		}
		if !strings.HasPrefix(string(source), "// ") {
			t.Errorf("the first line of %s doesn't say what it tries", name)
		}
	}
	if _, err := chooseBombs("cpu-loop,cpu-nothing"); err == nil || !strings.Contains(err.Error(), `"cpu-nothing"`) {
		t.Errorf("the error is %v; want the bomb's name in it", err)
	}
	if got, err := chooseBombs(""); err != nil || len(got) != len(bombs()) {
		t.Errorf("without a choice there are %v, %v; want all", got, err)
	}
}
