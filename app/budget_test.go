package app_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
)

// TestBudgetHolds: apps that each fill what they may hold, more than the process can
// have, end in sleep and refusals, and a small one goes on.
func TestBudgetHolds(t *testing.T) {
	const apps = 40
	var files strings.Builder
	files.WriteString("-- nano.toml --\n[apps.small]\nhosts = [\"small\"]\nroot = \"small\"\n")
	for n := range apps {
		fmt.Fprintf(&files, "[apps.big%d]\nhosts = [\"big%d\"]\nroot = \"big\"\nlimits = { memory = \"128MiB\", cpu = \"5s\" }\n", n, n)
	}
	files.WriteString("-- small/index.js --\nexport default { fetch: () => new Response('small') }\n")
	files.WriteString("-- big/index.js --\nconst kept = [];\nexport default { fetch() { while (kept.length < 50) kept.push(new Array(1 << 18).fill(0.5 + kept.length)); return new Response('big') } }\n")
	h := start(t, files.String())
	var wg sync.WaitGroup
	for part := range 4 {
		wg.Go(func() {
			for n := part; n < apps; n += 4 {
				if status, body := h.get(fmt.Sprintf("big%d", n), "/"); status != 200 && status != 503 {
					t.Errorf("big%d: %d %q", n, status, body)
				}
				if status, body := h.get("small", "/"); status != 200 || body != "small" {
					t.Errorf("small: %d %q", status, body)
				}
			}
		})
	}
	wg.Wait()
	if b := h.set.Budget(); b.Reserved > b.MaxReserved || b.Reserved < 1<<28 {
		t.Errorf("the budget says %+v", b)
	}
}
