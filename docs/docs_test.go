// Package docs_test keeps the documents true: their examples load, their links lead
// somewhere, and they name every key, route, error, metric, command and interface that
// there is. It owns no prose, and doesn't judge any.
package docs_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/nano-runtime/nano/config"
)

// document is a Markdown file of the project.
type document struct {
	name string // from the top of the tree
	text string
}

func read(t *testing.T, name string) document {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", name))
	if err != nil {
		t.Fatal(err)
	}
	return document{name, string(data)}
}

// documents are all but the man pages, whose sources are written for another reader.
func documents(t *testing.T) []document {
	t.Helper()
	names := []string{"README.md", "CHANGELOG.md", "ARCHITECTURE.md"}
	found, err := filepath.Glob("*.md")
	if err != nil || len(found) == 0 {
		t.Fatalf("no documents here: %v", err)
	}
	for _, name := range found {
		names = append(names, "docs/"+name)
	}
	docs := make([]document, len(names))
	for i, name := range names {
		docs[i] = read(t, name)
	}
	return docs
}

// block is a fenced block of code.
type block struct {
	where string // file:line of its first line
	lang  string // the first word behind the fence
	kind  string // what follows it
	text  string
}

func (d document) blocks(t *testing.T, lang string) []block {
	t.Helper()
	var blocks []block
	var open *block
	for i, line := range strings.Split(d.text, "\n") {
		fence, isFence := strings.CutPrefix(line, "```")
		switch {
		case isFence && open == nil:
			first, rest, _ := strings.Cut(fence, " ")
			open = &block{where: fmt.Sprintf("%s:%d", d.name, i+2), lang: first, kind: rest}
		case isFence:
			if open.lang == lang {
				blocks = append(blocks, *open)
			}
			open = nil
		case open != nil:
			open.text += line + "\n"
		}
	}
	if open != nil {
		t.Errorf("%s: the block is not closed", open.where)
	}
	return blocks
}

// prose is the text without its blocks.
func (d document) prose() string {
	return regexp.MustCompile("(?ms)^```.*?^```$").ReplaceAllString(d.text, "")
}

// Every example of a configuration loads. Behind the fence stands what isn't a whole
// nano.toml: "apps.d", a file of that folder, or "wrangler", an app's own.
func TestConfigurationsLoad(t *testing.T) {
	n := 0
	for _, d := range documents(t) {
		for _, b := range d.blocks(t, "toml") {
			n++
			t.Run(b.where, func(t *testing.T) { loadExample(t, b) })
		}
	}
	if n == 0 {
		t.Error("there are no examples")
	}
}

func loadExample(t *testing.T, b block) {
	dir := t.TempDir()
	put := func(name, text string) {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	// The example's folders are made here.
	text := strings.ReplaceAll(b.text, `"/srv/`, `"`+dir+`/srv/`)
	main, wantWrangler := "", false
	switch b.kind {
	case "":
		main = text
	case "apps.d":
		put("apps.d/example.toml", text)
	case "wrangler":
		wantWrangler = true
		put("srv/example/wrangler.toml", text)
		main = "[apps.example]\nhosts = [\"example.com\"]\nroot = \"srv/example\"\n"
		text = "root = \"" + dir + "/srv/example\"\n" + text
	default:
		t.Fatalf("there is no kind of example called %q", b.kind)
	}
	put("nano.toml", main)
	for _, root := range values(text, "root") {
		root = strings.TrimPrefix(strings.TrimPrefix(root, dir), "/")
		put(root+"/index.ts", "export default { fetch: () => new Response() };\n")
		for _, key := range []string{"entry", "main"} {
			for _, entry := range values(text, key) {
				put(filepath.Join(root, entry), "export default { fetch: () => new Response() };\n")
			}
		}
		for _, key := range []string{"assets", "directory"} {
			for _, folder := range values(text, key) {
				put(filepath.Join(root, folder, "index.html"), "<!doctype html>\n")
			}
		}
	}
	cfg, err := config.Load(config.Options{Path: filepath.Join(dir, "nano.toml")})
	if err != nil {
		t.Fatal(err)
	}
	if wantWrangler && cfg.Apps[0].Origin.Wrangler == "" {
		t.Error("the wrangler file was not asked")
	}
}

// values are those that a TOML text gives to a key, as strings.
func values(text, key string) []string {
	var found []string
	for _, m := range regexp.MustCompile(`(?m)^\s*`+key+`\s*=\s*"([^"]*)"`).FindAllStringSubmatch(text, -1) {
		found = append(found, m[1])
	}
	return found
}

// Every example of JSON is JSON; one marked "app" is what the admin API takes.
func TestJSONIsValid(t *testing.T) {
	for _, d := range documents(t) {
		for _, b := range d.blocks(t, "json") {
			if !json.Valid([]byte(b.text)) {
				t.Errorf("%s: this is no JSON", b.where)
			}
			if b.kind != "app" {
				continue
			}
			if _, err := config.DecodeApp("", []byte(b.text)); err != nil {
				t.Errorf("%s: %v", b.where, err)
			}
		}
	}
}

var link = regexp.MustCompile(`\]\(([^)\s]+)\)`)

// Every relative link leads to a file, and to a heading in it.
func TestLinksResolve(t *testing.T) {
	for _, d := range documents(t) {
		for _, m := range link.FindAllStringSubmatch(d.prose(), -1) {
			target, anchor, _ := strings.Cut(m[1], "#")
			if strings.Contains(target, "://") || strings.HasPrefix(target, "mailto:") {
				continue
			}
			path := filepath.Join("..", d.name)
			if target != "" {
				path = filepath.Join("..", filepath.Dir(d.name), target)
			}
			data, err := os.ReadFile(path)
			if info, statErr := os.Stat(path); statErr == nil && info.IsDir() && anchor == "" {
				continue
			}
			if err != nil {
				t.Errorf("%s: the link to %s leads nowhere", d.name, m[1])
				continue
			}
			if anchor != "" && !slices.Contains(anchors(string(data)), anchor) {
				t.Errorf("%s: %s has no heading for #%s", d.name, filepath.Clean(path), anchor)
			}
		}
	}
}

var (
	heading      = regexp.MustCompile(`(?m)^#{1,6} +(.*?) *$`)
	notInAnchors = regexp.MustCompile(`[^\p{L}\p{N} _-]`)
)

// anchors are the fragments of a document's headings, as GitHub makes them.
func anchors(text string) []string {
	var list []string
	for _, m := range heading.FindAllStringSubmatch(text, -1) {
		a := notInAnchors.ReplaceAllString(strings.ToLower(m[1]), "")
		list = append(list, strings.ReplaceAll(a, " ", "-"))
	}
	return list
}
