package app_test

import (
	"log/slog"
	"strings"
	"testing"

	"github.com/nano-runtime/nano/app"
)

// TestDevShowsWhere: under `nano run` an exception comes with its line in the original
// TypeScript; in service its text stays inside.
func TestDevShowsWhere(t *testing.T) {
	const archive = `
-- nano.toml --
[apps.test]
hosts = ["test"]
root = "test"
-- test/index.ts --
interface Nothing { a: string }

export default {
	async fetch(): Promise<Response> {
		const secret: Nothing = null!;
		return new Response(secret.a);
	},
};
`
	h := newHostWith(t, archive, app.Options{Dev: true, Log: slog.New(slog.DiscardHandler)})
	h.apply()
	req := h.request("GET", "test", "/", nil)
	req.Header.Set("Accept", "text/html")
	res, body := h.do(req)
	for _, want := range []string{"TypeError: Cannot read properties of null", "index.ts:6:30", "return new Response(secret.a);"} {
		if res.StatusCode != 500 || !strings.Contains(body, want) {
			t.Errorf("got %d without %q:\n%s", res.StatusCode, want, body)
		}
	}
	if strings.Contains(body, "nano:prelude") {
		t.Errorf("frames of ours are in it:\n%s", body)
	}

	h = start(t, archive)
	if status, body := h.get("test", "/"); status != 500 || body != "Internal Server Error\n" {
		t.Errorf("in service: got %d %q", status, body)
	}
	if !h.log.Contains("index.ts:6:30") {
		t.Errorf("the log doesn't say where:\n%s", h.log)
	}
}
