package app_test

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/nano-runtime/nano/app"
	"github.com/nano-runtime/nano/bundle"
)

// bundlerName is the program's name where it is to bundle.
const bundlerName = "bundler"

func TestMain(m *testing.M) {
	if os.Args[0] != bundlerName {
		os.Exit(m.Run())
	}
	if err := bundle.ServeBuild(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// TestBundler has apps bundled in processes of their own: what is wrong with one is told
// as ever, with the files that might mend it.
func TestBundler(t *testing.T) {
	h := newHostWith(t, `
-- nano.toml --
[apps.good]
hosts = ["good"]
root = "good"
[apps.bad]
hosts = ["bad"]
root = "bad"
-- good/index.ts --
export default { fetch: (): Response => new Response("good") }
-- bad/index.ts --
let x = ;
`, app.Options{Log: slog.New(slog.DiscardHandler), Bundler: []string{bundlerName}})
	failed := h.apply().Failed
	var broken *bundle.Error
	if err := failed["bad"]; !errors.As(err, &broken) || !strings.Contains(err.Error(), "index.ts:1:9: Unexpected \";\"\n    let x = ;\n            ^") {
		t.Errorf("got the error %v", err)
	}
	if want := filepath.Join(h.dir, "bad/index.ts"); !slices.Contains(h.set.App("bad").Info().Sources, want) {
		t.Errorf("%s is not among %v", want, h.set.App("bad").Info().Sources)
	}
	if status, body := h.get("good", "/"); status != 200 || body != "good" {
		t.Errorf("got %d %q, and %v", status, body, failed["good"])
	}
}
