package docs_test

import (
	"context"
	"encoding/json"
	"fmt"
	"go/ast"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/nano-runtime/nano/app"
	"github.com/nano-runtime/nano/config"
	"github.com/nano-runtime/nano/daemon"
	"github.com/nano-runtime/nano/internal/await"
)

// code is a name in the text: of a property's path, or of a module.
var code = regexp.MustCompile("`([\\w.:/]+)`")

// marked are the rows between <!-- name --> and <!-- /name -->, each as the names that
// its cells give as code.
func marked(t *testing.T, d document, name string) (rows [][][]string) {
	t.Helper()
	_, rest, ok := strings.Cut(d.text, "<!-- "+name+" -->")
	section, _, closed := strings.Cut(rest, "<!-- /"+name+" -->")
	if !ok || !closed {
		t.Fatalf("%s has no section %q", d.name, name)
	}
	for line := range strings.Lines(section) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		if !strings.HasPrefix(line, "|") || !strings.Contains(line, "`") || len(cells) < 2 {
			continue
		}
		var row [][]string
		for _, cell := range cells {
			var names []string
			for _, m := range code.FindAllStringSubmatch(cell, -1) {
				names = append(names, m[1])
			}
			row = append(row, names)
		}
		rows = append(rows, row)
	}
	if len(rows) == 0 {
		t.Fatalf("%s names nothing in section %q", d.name, name)
	}
	return rows
}

// names are those of one column.
func names(rows [][][]string, column int) (list []string) {
	for _, row := range rows {
		list = append(list, row[column]...)
	}
	return list
}

// ask runs an entry module in an isolate, and decodes what it answers as JSON.
func ask(t *testing.T, module string, answer any) {
	t.Helper()
	status, body := run(t, module)
	if err := json.Unmarshal(body, answer); err != nil {
		t.Fatalf("%d %s: %v", status, body, err)
	}
}

// run serves an entry module, and returns what it answers to one request.
func run(t *testing.T, module string) (status int, body []byte) {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"nano.toml":    "[apps.probe]\nroot = \"app\"\ndefault = true\n",
		"app/index.js": module,
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	cfg, err := config.Load(config.Options{Path: filepath.Join(dir, "nano.toml")})
	if err != nil {
		t.Fatal(err)
	}
	discard := slog.New(slog.DiscardHandler)
	set, err := app.NewSet(app.Options{Log: discard})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), await.Deadline)
	defer cancel()
	defer func() {
		if err := set.Close(ctx); err != nil {
			t.Error(err)
		}
	}()
	if failed := set.Apply(ctx, cfg, "test").Failed; len(failed) > 0 {
		t.Fatalf("the app can't be loaded: %v", failed)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	front := daemon.NewFront(daemon.FrontOptions{Handler: set.Serve, Log: discard})
	served := make(chan error, 1)
	go func() { served <- front.Serve(ln) }()
	defer func() {
		if err := front.Drain(ctx, 0); err != nil {
			t.Error(err)
		}
		if err := <-served; err != nil {
			t.Error(err)
		}
	}()
	client := &http.Client{Timeout: await.Deadline, Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := client.Get("http://" + ln.Addr().String() + "/")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err = io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, body
}

// What the document says is there is there, what it says is missing is, and it names
// every global that isn't of ECMAScript.
func TestInterfaces(t *testing.T) {
	d := read(t, "docs/javascript.md")
	present := names(marked(t, d, "present"), 1)
	missing := names(marked(t, d, "missing"), 0)
	list, err := json.Marshal(slices.Concat(present, missing))
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Globals []string
		Has     map[string]bool
	}
	ask(t, fmt.Sprintf(`
const has = (path) => {
  let value = globalThis;
  for (const key of path.split(".")) {
    if (!(key in Object(value))) return false;
    value = value[key];
  }
  return true;
};
export default {
  fetch: () => Response.json({
    globals: Object.getOwnPropertyNames(globalThis),
    has: Object.fromEntries(%s.map((path) => [path, has(path)])),
  }),
};
`, list), &got)
	for _, name := range present {
		if !got.Has[name] {
			t.Errorf("%s says that there is %s, and there isn't", d.name, name)
		}
	}
	for _, name := range missing {
		if got.Has[name] {
			t.Errorf("%s says that there is no %s, and there is", d.name, name)
		}
	}
	for _, name := range got.Globals {
		if !slices.Contains(ecmascript, name) && !slices.Contains(present, name) {
			t.Errorf("%s doesn't name the global %s", d.name, name)
		}
	}
}

// ecmascript are the globals that V8 has without a platform around it.
var ecmascript = strings.Fields(`
AggregateError Array ArrayBuffer Atomics BigInt BigInt64Array BigUint64Array Boolean DataView Date Error EvalError
FinalizationRegistry Float16Array Float32Array Float64Array Function Infinity Int16Array Int32Array Int8Array Intl
Iterator JSON Map Math NaN Number Object Promise Proxy RangeError ReferenceError Reflect RegExp Set SharedArrayBuffer
String Symbol SyntaxError TypeError URIError Uint16Array Uint32Array Uint8Array Uint8ClampedArray WeakMap WeakRef WeakSet
decodeURI decodeURIComponent encodeURI encodeURIComponent escape eval globalThis isFinite isNaN parseFloat parseInt
undefined unescape`)

// The document names every module that the bundler provides, with exports that it has.
func TestModules(t *testing.T) {
	d := read(t, "docs/javascript.md")
	var script strings.Builder
	script.WriteString("const missing = [];\n")
	var imports strings.Builder
	var named []string
	for _, row := range marked(t, d, "modules") {
		for _, module := range row[0] {
			n := len(named)
			named = append(named, module)
			fmt.Fprintf(&imports, "import * as m%d from %q;\n", n, module)
			exports, err := json.Marshal(row[1])
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(&script, "for (const name of %s) if (!(name in m%d) && !(name in Object(m%d.default))) missing.push(%q + name);\n",
				exports, n, n, module+" ")
		}
	}
	inspect(t, "bundle/builtin.go", func(n ast.Node) {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || spec.Names[0].Name != "provided" {
			return
		}
		for _, e := range spec.Values[0].(*ast.CompositeLit).Elts {
			if module := text(e.(*ast.KeyValueExpr).Key); !slices.Contains(named, module) {
				t.Errorf("%s doesn't name the module %s", d.name, module)
			}
		}
	})
	var missing []string
	ask(t, imports.String()+script.String()+"export default { fetch: () => Response.json(missing) };\n", &missing)
	for _, name := range missing {
		t.Errorf("%s says that there is %s, and there isn't", d.name, name)
	}
}

// Every entry that the document shows loads and answers.
func TestHandlersAnswer(t *testing.T) {
	for _, d := range []document{read(t, "README.md"), read(t, "docs/javascript.md")} {
		for _, b := range d.blocks(t, "js") {
			t.Run(b.where, func(t *testing.T) {
				if status, body := run(t, b.text); status != http.StatusOK || len(body) == 0 {
					t.Errorf("it answers %d %q", status, body)
				}
			})
		}
	}
}

// The deviations are as the document tells them: one that is mended leaves the list.
func TestDeviations(t *testing.T) {
	got := make(map[string]any)
	ask(t, `
let called = 0;
const registry = new FinalizationRegistry(() => called++);
for (let i = 0; i < 1000; i++) registry.register({}, i);
const attempt = (f) => {
  try { return f(); } catch (error) { return error.name; }
};
export default {
  async fetch() {
    // Enough that is thrown away for collections of all of the heap.
    for (let i = 0; i < 20; i++) {
      const text = "x".repeat(1 << 20) + i;
      await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
    }
    return Response.json({
      finalized: called,
      generator: JSON.stringify(structuredClone((function* () {})())),
      imported: await (async () => import("./" + ["no.js"][0]))().then(() => "it loads", () => "it fails"),
      url: import.meta.url,
      evaluated: attempt(() => new Function("return eval('1 + 1')")()),
      status: attempt(() => new Response(null, { status: 101 })),
      wait: attempt(() => Atomics.wait(new Int32Array(new SharedArrayBuffer(8)), 0, 0, 1)),
      data: await fetch("data:,x").catch((error) => error.name),
    });
  },
};
`, &got)
	for name, want := range map[string]any{
		"finalized": 0.0,
		"generator": "{}",
		"imported":  "it fails",
		"url":       "file:///index.js",
		"evaluated": 2.0,
		"status":    "RangeError",
		"wait":      "TypeError",
		"data":      "TypeError",
	} {
		if got[name] != want {
			t.Errorf("%s is %v, and the document says %v", name, got[name], want)
		}
	}
}
