//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"syscall"
	"time"
)

// tally is what a load has counted, as e2e/inside prints it.
type tally struct {
	Requests   int            // answered as expected
	Failed     int            // the rest, by reason:
	Reasons    map[string]int // "refused", "reset", "cut off", "timeout", "status 503", …
	LongestGap time.Duration  // between two answers, whoever got them
}

func (l tally) String() string {
	return fmt.Sprintf("%d requests, %d failed %v, longest gap %s", l.Requests, l.Failed, l.Reasons, l.LongestGap)
}

// load is a constant load of keep-alive clients that never try twice.
type load struct{ stop func() tally }

// startLoad begins a load on the web port; expect must be in every answer.
func (m *machine) startLoad(expect string) *load {
	m.t.Helper()
	cmd := m.enter(context.Background(), fmt.Sprintf("exec /e2e/inside load -clients 32 -expect %q", expect))
	var out, problems bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &problems
	if err := cmd.Start(); err != nil {
		m.t.Fatal(err)
	}
	end := sync.OnceFunc(func() {
		// Not the one that was started, which only waits for it.
		if pid := descendant(cmd.Process.Pid, "inside"); pid != 0 {
			_ = syscall.Kill(pid, syscall.SIGTERM)
		}
		_ = cmd.Wait() // what it printed says more
	})
	l := &load{}
	l.stop = func() tally {
		m.t.Helper()
		end()
		var counted tally
		if err := json.Unmarshal(out.Bytes(), &counted); err != nil {
			m.t.Fatalf("the load printed no tally: %v\n%s%s", err, &out, &problems)
		}
		m.t.Log(counted)
		return counted
	}
	m.t.Cleanup(end)
	return l
}
