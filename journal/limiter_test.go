package journal

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/nano-runtime/nano/internal/await"
)

func TestLimiter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		var said []string
		l := NewLimiter(func(app string, suppressed int, during time.Duration) {
			said = append(said, fmt.Sprintf("%v %s %d in %v", time.Since(start), app, suppressed, during))
		})
		write := func(app string, lines, size int) (allowed int) {
			for range lines {
				if l.Allow(app, size) {
					allowed++
				}
			}
			return allowed
		}
		steps := []struct {
			name        string
			wait        time.Duration
			app         string
			lines, size int
			want        int
		}{
			{"a burst", 0, "blog", maxBurst + 500, 0, maxBurst},
			{"another app is free", 0, "shop", 10, 0, 10},
			{"a second later", time.Second, "blog", 500, 0, lineRate},
			{"before it is said", 8 * time.Second, "blog", 1000, 0, 8 * lineRate},
			{"after it was said", 2 * time.Second, "blog", 300, 0, 2 * lineRate},
			{"when nothing more was suppressed", time.Minute, "blog", 100, 0, 100},
			{"long after", time.Hour, "blog", maxBurst + 1, 0, maxBurst},
			{"large lines cost more", time.Hour, "blog", 100, 39 << 10, maxBurst / 40},
			{"the largest passes", time.Hour, "blog", 2, 1 << 30, 1},
		}
		for _, s := range steps {
			time.Sleep(s.wait)
			synctest.Wait()
			if got := write(s.app, s.lines, s.size); got != s.want {
				t.Errorf("%s: %d lines of %d are allowed, want %d", s.name, got, s.lines, s.want)
			}
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		want := []string{
			"10s blog 1100 in 10s",
			"21s blog 100 in 10s",
			"1h1m21s blog 1 in 10s",
			"2h1m21s blog 50 in 10s",
			"3h1m21s blog 1 in 10s",
		}
		if diff := cmp.Diff(want, said); diff != "" {
			t.Errorf("said (-want +got):\n%s", diff)
		}
	})
}

func TestLimiterFlush(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		said := 0
		l := NewLimiter(func(_ string, suppressed int, _ time.Duration) { said += suppressed })
		for range maxBurst + 7 {
			l.Allow("blog", 0)
		}
		l.forget("blog")
		l.flush()
		l.flush()
		time.Sleep(time.Hour)
		if said != 7 {
			t.Errorf("%d lines are said to be suppressed, want 7", said)
		}
		l.forget("blog")
		if len(l.apps) != 0 {
			t.Error("a forgotten app is remembered")
		}
	})
}

// The flood of one app is cut down and said; the others don't notice.
func TestFlood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out await.Log
		j, err := New(Options{Mode: Text, Output: &out})
		if err != nil {
			t.Fatal(err)
		}
		for range 5 * maxBurst {
			j.Logger().Info("flood", "app", "blog", "console", true)
		}
		j.Logger().Info("runtime", "app", "blog")
		j.Logger().Info("quiet", "app", "shop", "console", true)
		time.Sleep(sayEvery)
		synctest.Wait()
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
		for text, want := range map[string]int{
			"blog: flood\n": maxBurst, "blog: runtime\n": 1, "shop: quiet\n": 1,
			`suppressed 8000 lines of app "blog" in 10s`: 1,
		} {
			if got := strings.Count(out.String(), text); got != want {
				t.Errorf("%q is there %d times, want %d", text, got, want)
			}
		}
	})
}
