package chaos

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// crashTimes is how often a process must crash in a minute for the app to be in
// quarantine at the next start.
const crashTimes = 3

// TestCrashes has V8 crash in the middle of one app's JavaScript, again and again, and
// starts the daemon each time as systemd does. Then that app is in quarantine, the log
// says which request ran, and the other app serves.
func TestCrashes(t *testing.T) {
	s := prepare(t, `
[apps.looper]
hosts = ["looper.test"]
root = "looper"
limits = { cpu = "20s", timeout = "30s" }
[apps.fine]
hosts = ["fine.test"]
root = "fine"
`, map[string]string{
		"looper/index.js": "export default { fetch(r) { if (r.url.endsWith(\"/loop\")) for (;;); return new Response(\"looper\") } }\n",
		"fine/index.js":   "export default { fetch: () => new Response(\"fine\") }\n",
	})
	for n := range crashTimes {
		s.start()
		if status, body := ask(s, "looper", "/", ""); status != 200 {
			t.Errorf("after %d crashes looper answers %d %q", n, status, body)
		}
		crash(t, s, fmt.Sprintf("crash-%d", n))
	}
	s.start()
	t.Cleanup(s.stop)
	if status, body := ask(s, "looper", "/", ""); status != 503 || !strings.Contains(body, "quarantine") {
		t.Errorf("after %d crashes looper answers %d %q\n%s", crashTimes, status, body, s.tail())
	}
	if status, body := ask(s, "fine", "/", ""); status != 200 || body != "fine" {
		t.Errorf("fine answers %d %q", status, body)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	looper, err := s.client().App(ctx, "looper")
	if err != nil {
		t.Fatal(err)
	}
	if looper.State != "quarantined" || looper.Banned <= 0 {
		t.Errorf("nano apps show says: %s for %gs", looper.State, looper.Banned)
	}
	text, err := os.ReadFile(s.log)
	if err != nil {
		t.Fatal(err)
	}
	for n := range crashTimes {
		if want := fmt.Sprintf("crash-%d", n); !strings.Contains(string(text), "the app ran when an earlier process crashed") || !strings.Contains(string(text), want) {
			t.Errorf("the log doesn't say that request %s ran", want)
		}
	}
	s.until("it is over", time.Minute, func() error {
		if status, body := ask(s, "looper", "/", ""); status != 200 {
			return fmt.Errorf("looper answers %d %q", status, body)
		}
		return nil
	})
}

// ask is an app's answer; 0 where there is none.
func ask(s *server, app, path, id string) (status int, body string) {
	req, err := http.NewRequest("GET", "http://"+s.addr+path, nil)
	if err != nil {
		return 0, err.Error()
	}
	req.Host = app + ".test"
	if id != "" {
		req.Header.Set("X-Request-Id", id)
	}
	c := &http.Client{Timeout: time.Minute, Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := c.Do(req)
	if err != nil {
		return 0, err.Error()
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return 0, err.Error()
	}
	return res.StatusCode, string(text)
}

// crash has a request loop, and sends the signal of a bad memory access to the thread on
// which it does.
func crash(t *testing.T, s *server, id string) {
	t.Helper()
	go ask(s, "looper", "/loop", id)
	pid := s.first.Pid
	end := time.Now().Add(time.Minute)
	for before := ticks(t, pid); ; {
		select {
		case err := <-s.exited:
			if err == nil {
				t.Fatal("the daemon ended well")
			}
			return
		case <-time.After(200 * time.Millisecond):
		}
		if time.Now().After(end) {
			t.Fatalf("no thread loops\n%s", s.tail())
		}
		now := ticks(t, pid)
		busiest, most := 0, 25 // a quarter of a second is more than any other thread takes
		for thread, n := range now {
			if n-before[thread] > most {
				busiest, most = thread, n-before[thread]
			}
		}
		if busiest == 0 {
			continue
		}
		before = now
		if err := unix.Tgkill(pid, busiest, unix.SIGSEGV); err != nil && !errors.Is(err, unix.ESRCH) {
			t.Fatal(err)
		}
	}
}

// ticks is the processor time of each thread of a process, in hundredths of a second.
func ticks(t *testing.T, pid int) map[int]int {
	t.Helper()
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
	if err != nil {
		t.Fatal(err)
	}
	all := make(map[int]int)
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			continue // it has ended
		}
		_, rest, _ := strings.Cut(string(text), ") ")
		fields := strings.Fields(rest)
		thread, err := strconv.Atoi(filepath.Base(filepath.Dir(f)))
		if err != nil || len(fields) < 12 {
			t.Fatalf("%s says %q", f, text)
		}
		user, _ := strconv.Atoi(fields[11])
		all[thread] = user
	}
	return all
}
