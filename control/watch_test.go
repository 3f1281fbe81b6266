package control_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nano-runtime/nano/app"
	"github.com/nano-runtime/nano/internal/await"
)

// watched is files with watching on, and an app that is deployed by swapping a link.
func watched(t *testing.T) *world {
	w := &world{t: t, dir: t.TempDir(), log: new(await.Log)}
	w.write(strings.Replace(files, "watch = false", "watch = true", 1) + `
-- etc/apps.d/linked.toml --
[apps.linked]
hosts = ["linked.test"]
root = "../../current"
-- releases/1/package.json --
{"main": "app.js"}
-- releases/1/app.js --
import { text } from "./lib/text.js"
export default { fetch: () => new Response(text) }
-- releases/1/lib/text.js --
export const text = "linked 1"
-- releases/2/app.js --
export default { fetch: () => new Response("linked 2") }
-- releases/2/package.json --
{"main": "app.js"}
`)
	if err := os.Symlink("releases/1", filepath.Join(w.dir, "current")); err != nil {
		t.Fatal(err)
	}
	w.open(false)
	w.c.Serving()
	return w
}

func (w *world) awaitAnswer(host, answer string) {
	w.t.Helper()
	w.await(host+" answers "+answer, func() bool { return w.get(host) == answer })
}

// TestWatch changes files of all kinds, and each change reaches the apps it is about.
func TestWatch(t *testing.T) {
	w := watched(t)
	w.want("linked.test", "200 linked 1")

	w.write("-- one/index.js --\nexport default { fetch: () => new Response(\"one 2\") }\n")
	w.awaitAnswer("one.test", "200 one 2")
	if v := w.info("one").Version; v.Number != 2 || v.By != "file" {
		t.Errorf("version %+v", v)
	}
	if v := w.info("two").Version.Number; v != 1 {
		t.Errorf("two has version %d though it did not change", v)
	}

	w.write("-- releases/1/lib/text.js --\nexport const text = \"linked 1b\"\n")
	w.awaitAnswer("linked.test", "200 linked 1b")

	// A deploy: the link is swapped in one step.
	next := filepath.Join(w.dir, "next")
	if err := os.Symlink("releases/2", next); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(next, filepath.Join(w.dir, "current")); err != nil {
		t.Fatal(err)
	}
	w.awaitAnswer("linked.test", "200 linked 2")

	// An editor: a new file takes the place of the old one.
	w.write("-- one/new --\nexport default {\n")
	if err := os.Rename(filepath.Join(w.dir, "one/new"), filepath.Join(w.dir, "one/index.js")); err != nil {
		t.Fatal(err)
	}
	w.await("one says what is wrong", func() bool { return w.info("one").Problem != nil })
	w.want("one.test", "200 one 2")
	w.write("-- one/index.js --\nimport { x } from \"./x.js\"\nexport default { fetch: () => new Response(x) }\n")
	w.await("one misses a file", func() bool {
		p := w.info("one").Problem
		return p != nil && strings.Contains(p.Error(), "x.js")
	})
	w.write("-- one/x.js --\nexport const x = \"one 3\"\n")
	w.awaitAnswer("one.test", "200 one 3")
	if i := w.info("one"); i.Problem != nil || i.State != app.Serving {
		t.Errorf("one is %s: %v", i.State, i.Problem)
	}

	// The configuration.
	w.write("-- etc/apps.d/three.toml --\n[apps.three]\nhosts = [\"three.test\"]\nroot = \"../../three\"\nenv = { N = 1 }\n")
	w.awaitAnswer("three.test", "200 three 1")
	w.write("-- etc/apps.d/three.toml --\n[apps.three]\nhosts = [\"three.test\"]\nroot = \"../../three\"\nenv = { N = 2 }\n")
	w.awaitAnswer("three.test", "200 three 2")
	w.write("-- etc/apps.d/three.toml --\n[apps.three]\nhosts = [\"one.test\"]\nroot = \"../../three\"\n")
	w.await("the clash is told", func() bool { return len(w.c.Last().Problems) == 1 })
	w.want("three.test", "200 three 2")
	// Problems of the configuration keep no app from its new code.
	w.write("-- one/x.js --\nexport const x = \"one 4\"\n")
	w.awaitAnswer("one.test", "200 one 4")
	if err := os.Remove(filepath.Join(w.dir, "etc/apps.d/three.toml")); err != nil {
		t.Fatal(err)
	}
	w.awaitAnswer("three.test", "404 no app has this host")
}

// TestWatchTouched sees to it that what was only touched, or what this process wrote
// itself, makes no version and no outcome.
func TestWatchTouched(t *testing.T) {
	w := watched(t)
	w.put(w.three("three", 1))
	before := w.c.Last()
	w.write("-- one/index.js --\nexport default { fetch: () => new Response(\"one 1\") }\n")
	w.write("-- one/unrelated.txt --\nhello\n")
	// This is noticed after the others.
	w.write("-- two/index.js --\nexport default { fetch: () => new Response(\"two 2\") }\n")
	w.awaitAnswer("two.test", "200 two 2")
	for name, n := range map[string]int{"one": 1, "two": 2, "three": 1} {
		if v := w.info(name).Version.Number; v != n {
			t.Errorf("%s has version %d, want %d", name, v, n)
		}
	}
	// The line comes just after the change it tells of.
	w.await("a line for each of three changes", func() bool { return strings.Count(w.log.String(), "msg=\"applied") == 3 })
	if before.By != "test" {
		t.Errorf("the outcome before was by %q", before.By)
	}
}

// TestChangeWhileLoading: what changes between the bundling of an app and its serving is
// not lost.
func TestChangeWhileLoading(t *testing.T) {
	started, goOn := make(chan struct{}, 9), make(chan struct{})
	upstream := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		started <- struct{}{}
		<-goOn
	}))
	t.Cleanup(upstream.Close)
	w := watched(t)
	w.write(`
-- slow/index.js --
import { n } from "./lib/n.js"
await fetch("` + upstream.URL + `")
export default { fetch: () => new Response("slow " + n) }
-- slow/lib/n.js --
export const n = 1
`)
	go func() {
		<-started
		w.write("-- slow/lib/n.js --\nexport const n = 2\n")
		close(goOn)
	}()
	w.put(draft(t, "slow", `{"hosts": ["slow.test"], "root": %q, "egress": ["127.0.0.1"]}`, filepath.Join(w.dir, "slow")))
	w.awaitAnswer("slow.test", "200 slow 2")
}

// TestEntryComesLater: an app without an entry is loaded when there is one, wherever it
// was looked for.
func TestEntryComesLater(t *testing.T) {
	w := &world{t: t, dir: t.TempDir(), log: new(await.Log)}
	w.write(strings.Replace(files, "watch = false", "watch = true", 1) + `
-- etc/apps.d/later.toml --
[apps.src]
hosts = ["src.test"]
root = "../../src"
[apps.main]
hosts = ["main.test"]
root = "../../main"
[apps.assets]
hosts = ["assets.test"]
root = "../../assets"
assets = "dist/public"
-- src/src/README --
-- main/package.json --
{"main": "dist/app.js"}
-- main/dist/README --
-- assets/dist/README --
`)
	w.open(false)
	w.c.Serving()
	w.want("src.test", "503 the app is not available")
	w.write(`
-- src/src/index.js --
export default { fetch: () => new Response("src") }
-- main/dist/app.js --
export default { fetch: () => new Response("main") }
-- assets/dist/public/index.html --
assets
`)
	w.awaitAnswer("src.test", "200 src")
	w.awaitAnswer("main.test", "200 main")
	w.awaitAnswer("assets.test", "200 assets")
}
