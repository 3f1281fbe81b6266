package chaos

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"
)

// fairness is what an app keeps of what it has alone, while another burns all that it is
// let.
type fairness struct {
	slower float64       // its p99, at the most, in parts of the one that it has alone
	within time.Duration // a p99 that is well whatever it was
	share  float64       // of its throughput, at the least
	rounds int           // to try: the machine does other things too
	during time.Duration // each of the four measurements of a round
}

// TestFair holds the scheduler to what even a machine that does other things can show.
// TestFairStrict holds it to what is promised.
func TestFair(t *testing.T) {
	fair(t, fairness{slower: 10, within: 50 * time.Millisecond, share: 0.1, rounds: 4, during: time.Second})
}

func fair(t *testing.T, want fairness) {
	s := prepare(t, `
[apps.quiet]
hosts = ["quiet.test"]
root = "quiet"
[apps.burner]
hosts = ["burner.test"]
root = "burner"
limits = { cpu = "5s", timeout = "60s", isolates = 2 }
`, map[string]string{
		"quiet/index.js": `
export default { fetch(request) {
  const { pathname } = new URL(request.url);
  return Response.json({ pathname, words: "a few words to sort".split(" ").sort() });
} };
`,
		"burner/index.js": `
let sum = 0;
export default { fetch() {
  for (const end = performance.now() + 100; performance.now() < end;) for (let n = 0; n < 1e4; n++) sum += Math.sqrt(n);
  return new Response(String(sum));
} };
`,
	})
	s.start()
	t.Cleanup(s.stop)
	s.ask(t, "quiet", 2, 0, time.Second) // V8 compiles what it is asked for most
	for round := 1; ; round++ {
		_, aloneP99 := s.ask(t, "quiet", 1, 2*time.Millisecond, want.during)
		alone, _ := s.ask(t, "quiet", 8, 0, want.during)

		ctx, cancel := context.WithCancel(t.Context())
		var burning sync.WaitGroup
		for range 24 {
			burning.Go(func() { burn(ctx, s) })
		}
		s.until("both isolates of the burner run", 30*time.Second, func() error {
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			defer cancel()
			a, err := s.client().App(ctx, "burner")
			if err != nil {
				return err
			}
			if a.Isolates < 2 {
				return fmt.Errorf("it has %d", a.Isolates)
			}
			return nil
		})
		_, besideP99 := s.ask(t, "quiet", 1, 2*time.Millisecond, want.during)
		beside, _ := s.ask(t, "quiet", 8, 0, want.during)
		cancel()
		burning.Wait()

		slower, share := float64(besideP99)/float64(aloneP99), beside/alone
		t.Logf("p99 %s alone, %s beside (%.1f times); %.0f requests/s alone, %.0f beside (%.0f %%)",
			aloneP99.Round(10*time.Microsecond), besideP99.Round(10*time.Microsecond), slower, alone, beside, 100*share)
		if (slower < want.slower || besideP99 < want.within) && share > want.share {
			return
		}
		if round == want.rounds {
			t.Fatalf("in %d rounds it was never below %.0f times the p99, with over %.0f %% of the requests", round, want.slower, 100*want.share)
		}
	}
}

// ask has some clients ask an app, each with pauses between its requests, and says how
// many had their answer in a second, and how slow the slowest one in a hundred was.
func (s *server) ask(t *testing.T, app string, clients int, pause, during time.Duration) (rate float64, p99 time.Duration) {
	t.Helper()
	var mu sync.Mutex
	var took []time.Duration
	var all sync.WaitGroup
	end := time.Now().Add(during)
	for range clients {
		all.Go(func() {
			tr := &http.Transport{}
			defer tr.CloseIdleConnections()
			c := &http.Client{Transport: tr, Timeout: 20 * time.Second}
			var mine []time.Duration
			for time.Now().Before(end) {
				began := time.Now()
				if status, err := s.get(t.Context(), c, app); status != 200 {
					t.Errorf("%s: %d %v", app, status, err)
					return
				}
				mine = append(mine, time.Since(began))
				time.Sleep(pause)
			}
			mu.Lock()
			took = append(took, mine...)
			mu.Unlock()
		})
	}
	all.Wait()
	if t.Failed() || len(took) == 0 {
		t.FailNow()
	}
	slices.Sort(took)
	return float64(len(took)) / during.Seconds(), took[len(took)*99/100]
}

// get is the status of an app's answer, which is read to its end.
func (s *server) get(ctx context.Context, c *http.Client, app string) (status int, err error) {
	req, err := http.NewRequestWithContext(ctx, "GET", "http://"+s.addr+"/some/path", nil)
	if err != nil {
		return 0, err
	}
	req.Host = app + ".test"
	res, err := c.Do(req)
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	_, err = io.Copy(io.Discard, res.Body)
	return res.StatusCode, err
}

// burn asks the burner until ctx ends.
func burn(ctx context.Context, s *server) {
	tr := &http.Transport{}
	defer tr.CloseIdleConnections()
	c := &http.Client{Transport: tr, Timeout: time.Minute}
	for ctx.Err() == nil {
		_, _ = s.get(ctx, c, "burner") // what it answers is its own affair
	}
}
