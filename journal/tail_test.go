package journal

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func openDiscard(t *testing.T) *Journal {
	t.Helper()
	j, err := New(Options{Mode: JSON, Output: io.Discard})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := j.Close(); err != nil {
			t.Error(err)
		}
	})
	return j
}

func texts(lines []Line) []string {
	var all []string
	for _, l := range lines {
		all = append(all, l.Text)
	}
	return all
}

func TestRecent(t *testing.T) {
	j := openDiscard(t)
	if got := j.Recent("blog", 10); got != nil {
		t.Errorf("before its first line: got %v", got)
	}
	log := slog.New(at{j.Logger().Handler()})
	log.Error("no", "app", "blog", "request_id", "r1", "console", true, "limit", "cpu", "cause", "too long")
	log.With("app", "shop").Info("of another app")
	log.Info("of no app")
	j.Access().Info("request", "app", "blog")
	want := []Line{{Time: noon, Level: slog.LevelError, RequestID: "r1", Text: "no", Detail: `limit=cpu cause="too long"`}}
	if diff := cmp.Diff(want, j.Recent("blog", 10)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for i := range maxLines + 5 {
		log.Info(fmt.Sprint(i), "app", "blog")
	}
	if diff := cmp.Diff([]string{"1003", "1004"}, texts(j.Recent("blog", 2))); diff != "" {
		t.Errorf("last lines (-want +got):\n%s", diff)
	}
	if got := j.Recent("blog", 1e9); len(got) != maxLines || got[0].Text != "5" {
		t.Errorf("%d lines are kept, the first is %q", len(got), got[0].Text)
	}
	for range 10 {
		log.Info(strings.Repeat("x", maxBytes/4), "app", "blog")
	}
	if got := len(j.Recent("blog", 1e9)); got != 3 {
		t.Errorf("%d large lines are kept", got)
	}
	log.Info(strings.Repeat("x", maxText), "app", "blog")
	if got := len(j.Recent("blog", 1e9)); got != 1 {
		t.Errorf("with one larger than all, %d lines are kept", got)
	}
	j.Forget("blog")
	if got := j.Recent("blog", 10); len(got) != 0 {
		t.Errorf("after the app is gone: got %v", got)
	}
}

func TestFollow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := openDiscard(t)
		say := func(text string) { j.Logger().Info(text, "app", "blog") }
		next := func(tail *Tail) string {
			t.Helper()
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			l, err := tail.Next(ctx)
			switch {
			case errors.Is(err, context.DeadlineExceeded):
				return "none"
			case err != nil:
				t.Fatal(err)
			case l.Lost > 0:
				return fmt.Sprintf("lost %d", l.Lost)
			}
			return l.Text
		}
		expect := func(tail *Tail, want ...string) {
			t.Helper()
			for _, w := range want {
				if got := next(tail); got != w {
					t.Errorf("got %q, want %q", got, w)
				}
			}
		}

		early := j.Follow("blog", 10)
		defer early.Close()
		expect(early, "none")
		say("a")
		say("b")
		expect(early, "a", "b", "none")
		late := j.Follow("blog", 1)
		defer late.Close()
		now := j.Follow("blog", 0)
		defer now.Close()
		expect(late, "b", "none")
		expect(now, "none")

		go func() {
			time.Sleep(100 * time.Millisecond)
			say("c")
		}()
		expect(now, "c", "none")
		for i := range maxLines + 10 {
			say(fmt.Sprint(i))
		}
		expect(late, "lost 11", "10", "11")
		expect(now, "lost 10", "10")

		j.Forget("blog")
		say("back")
		expect(now, "lost 999", "back", "none")
		if tail := j.Follow("blog", 10); next(tail) != "back" {
			t.Error("an app that came back is followed in another ring")
		} else {
			tail.Close()
		}
	})
}

func TestFollowByMany(t *testing.T) {
	j := openDiscard(t)
	const lines = 500
	var ready, done sync.WaitGroup
	for range 8 {
		ready.Add(1)
		done.Go(func() {
			tail := j.Follow("blog", 0)
			defer tail.Close()
			ready.Done()
			for i := 0; i < lines; i++ {
				l, err := tail.Next(t.Context())
				if err != nil || l.Text != fmt.Sprint(i) {
					t.Errorf("got %q, %v, want %d", l.Text, err, i)
					return
				}
			}
		})
	}
	ready.Wait()
	for i := range lines {
		j.Logger().Info(fmt.Sprint(i), "app", "blog")
	}
	done.Wait()
}
