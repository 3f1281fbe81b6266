package control_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nano-runtime/nano/app"
	"github.com/nano-runtime/nano/control"
	"github.com/nano-runtime/nano/internal/await"
)

const hostileFiles = `
-- etc/apps.d/more.toml --
[apps.hostile]
hosts = ["hostile.test"]
root = "../../hostile"
limits = { cpu = "10ms" }
-- hostile/index.js --
export default { fetch() { for (;;); } }
`

const inQuarantine = "503 the app is in quarantine"

// ban has the app called hostile lose isolates until it is in quarantine.
func ban(t *testing.T, w *world) {
	t.Helper()
	end := time.Now().Add(await.Deadline)
	for w.info("hostile").State != app.Quarantined {
		if time.Now().After(end) {
			t.Fatalf("it is not in quarantine:\n%s", w.log)
		}
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() { w.get("hostile.test") })
		}
		all.Wait()
	}
}

// TestQuarantineIsHandedOver: the next generation keeps out what this one has, and so
// does a process after a crash; another version, or a person, ends it.
func TestQuarantineIsHandedOver(t *testing.T) {
	w := begin(t, files+hostileFiles)
	ban(t, w)
	before := w.info("hostile")
	record := filepath.Join(w.dir, "state", "running.json")
	w.await("it is written down", func() bool {
		text, err := os.ReadFile(record)
		return err == nil && strings.Contains(string(text), `"quarantine"`)
	})
	for _, successor := range []bool{true, false} {
		next := w.again(successor)
		next.want("hostile.test", inQuarantine)
		next.want("one.test", "200 one 1")
		i := next.info("hostile")
		if i.State != app.Quarantined || i.Banned > before.Banned || i.Quarantine == nil || !i.Quarantine.Until.Equal(before.Quarantine.Until) {
			t.Errorf("successor %v: it is %s for %s: %+v, was %+v", successor, i.State, i.Banned, i.Quarantine, before.Quarantine)
		}
		if i.Stats.Isolates != 0 {
			t.Errorf("successor %v: it was made ready", successor)
		}
		next.c.Serving()
		w = next
	}

	if _, err := w.c.Enable(t.Context(), "hostile", true, control.Expect{}, "test"); err != nil {
		t.Fatal(err)
	}
	next := w.again(true)
	next.c.Serving()
	if i := next.info("hostile"); i.Banned != 0 || i.Quarantine != nil {
		t.Errorf("after a person has ended it: %s, %+v", i.Banned, i.Quarantine)
	}

	ban(t, next)
	next.await("it is written down", func() bool {
		text, err := os.ReadFile(record)
		return err == nil && strings.Contains(string(text), `"quarantine"`)
	})
	w.write("-- hostile/index.js --\nexport default { fetch: () => new Response(\"mended\") }\n")
	w = next.again(true)
	w.want("hostile.test", "200 mended")
}

// TestCrashesMakeQuarantine starts after processes that crashed while the app ran.
func TestCrashesMakeQuarantine(t *testing.T) {
	for _, tc := range []struct {
		name      string
		ages      []time.Duration // of the crashes
		successor bool
		want      string
	}{
		{"two", []time.Duration{2 * time.Second, time.Second}, false, "200 one 1"},
		{"three", []time.Duration{3 * time.Second, 2 * time.Second, time.Second}, false, inQuarantine},
		{"three, an older generation serves", []time.Duration{3 * time.Second, 2 * time.Second, time.Second}, true, inQuarantine},
		{"three, long ago", []time.Duration{63 * time.Second, 62 * time.Second, time.Second}, false, "200 one 1"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := begin(t, files)
			began := time.Now()
			var lines strings.Builder
			for _, age := range tc.ages {
				fmt.Fprintf(&lines, "%d one %s req-1\n", began.Add(-age).UnixNano(), w.info("one").Version.Hash)
			}
			w.write("-- state/crashes --\n" + lines.String() + "torn")
			w = w.again(tc.successor)
			w.want("one.test", tc.want)
			w.want("two.test", "200 two 1")
			if log := w.log.String(); strings.Count(log, "level=ERROR msg=\"the app ran when an earlier process crashed\" app=one request_id=req-1") != len(tc.ages) {
				t.Errorf("the log says:\n%s", log)
			}
			// They count once.
			w.c.Serving()
			until := w.info("one").Quarantine.Until
			w = w.again(false)
			if i := w.info("one"); i.Quarantine == nil || !i.Quarantine.Until.Equal(until) || strings.Contains(w.log.String(), "crashed") {
				t.Errorf("counted again: until %s, was %s\n%s", i.Quarantine.Until, until, w.log)
			}
		})
	}
}

// TestCrashAtLoad: a version that has crashed three processes before it ever served is
// not evaluated, until it is another one.
func TestCrashAtLoad(t *testing.T) {
	w := begin(t, files)
	w.write(`
-- one/index.js --
console.error("evaluated");
export default { fetch: () => new Response("one 2") }
`)
	other := w.again(false)
	hash := other.info("one").Version.Hash
	other.c.Close() // it never says that it serves
	if err := os.RemoveAll(filepath.Join(w.dir, "cache")); err != nil {
		t.Fatal(err)
	}
	var lines strings.Builder
	for range 3 {
		fmt.Fprintf(&lines, "%d one %s -\n", time.Now().UnixNano(), hash)
	}
	w.write("-- state/crashes --\n" + lines.String())

	next := &world{t: t, dir: w.dir, log: new(await.Log)}
	if err := next.tryOpen(true); err == nil || !strings.Contains(err.Error(), "crashed an earlier process") {
		t.Errorf("a generation that would lose the app: %v", err)
	}
	next.c.Close()
	next = &world{t: t, dir: w.dir, log: new(await.Log), later: true}
	next.open(false)
	next.c.Serving()
	next.want("one.test", inQuarantine)
	next.want("two.test", "200 two 1")
	if strings.Contains(next.log.String(), "evaluated") {
		t.Errorf("it was evaluated:\n%s", next.log)
	}
	w.write("-- one/index.js --\nexport default { fetch: () => new Response(\"one 3\") }\n")
	if _, err := next.c.Reload(t.Context(), "test"); err != nil {
		t.Fatal(err)
	}
	next.want("one.test", "200 one 3")
}
