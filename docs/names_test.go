package docs_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// The names come from the sources: what the code has, the documents have.

// inspect walks the Go files that match a pattern, their tests left out.
func inspect(t *testing.T, pattern string, visit func(ast.Node)) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("..", pattern))
	if err != nil || len(files) == 0 {
		t.Fatalf("no files match %s: %v", pattern, err)
	}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			visit(n)
			return true
		})
	}
}

// text is a string literal's value, "" for any other expression.
func text(e ast.Expr) string {
	if lit, ok := e.(*ast.BasicLit); ok && lit.Kind == token.STRING {
		s, _ := strconv.Unquote(lit.Value)
		return s
	}
	return ""
}

// fields are the string fields of a composite literal, by name.
func fields(n ast.Node) (typ string, values map[string]string) {
	lit, ok := n.(*ast.CompositeLit)
	if !ok {
		return "", nil
	}
	values = make(map[string]string)
	for _, e := range lit.Elts {
		if kv, ok := e.(*ast.KeyValueExpr); ok {
			if key, ok := kv.Key.(*ast.Ident); ok {
				values[key.Name] = text(kv.Value)
			}
		}
	}
	if s, ok := lit.Type.(*ast.SelectorExpr); ok {
		typ = s.Sel.Name
	}
	return typ, values
}

// wantNamed fails for each name that the documents don't have as code.
func wantNamed(t *testing.T, what string, names []string, docs ...document) {
	t.Helper()
	if len(names) == 0 {
		t.Fatalf("the sources have no %s: this test looks in the wrong place", what)
	}
	for _, name := range names {
		if !slices.ContainsFunc(docs, func(d document) bool { return strings.Contains(d.text, "`"+name+"`") }) {
			t.Errorf("%s doesn't name the %s `%s`", docs[0].name, what, name)
		}
	}
}

func TestConfigurationKeysAreNamed(t *testing.T) {
	doc := read(t, "docs/config.md")
	lists := make(map[string][]string)
	inspect(t, "config/schema.go", func(n ast.Node) {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return
		}
		for i, value := range spec.Values {
			if lit, ok := value.(*ast.CompositeLit); ok && strings.HasSuffix(spec.Names[i].Name, "Keys") {
				for _, e := range lit.Elts {
					lists[spec.Names[i].Name] = append(lists[spec.Names[i].Name], text(e))
				}
			}
		}
	})
	for _, list := range []string{"serverKeys", "appKeys", "limitKeys"} {
		wantNamed(t, "key", lists[list], doc)
	}
	for _, table := range lists["topKeys"] {
		if !strings.Contains(doc.text, "["+table) {
			t.Errorf("%s doesn't name the table [%s]", doc.name, table)
		}
	}
}

func TestRoutesAreNamed(t *testing.T) {
	doc := read(t, "docs/admin-api.md")
	n := 0
	inspect(t, "admin/server.go", func(node ast.Node) {
		_, f := fields(node)
		if f["method"] == "" || f["path"] == "" {
			return
		}
		n++
		if row := "| " + f["method"] + " | `" + f["path"] + "` |"; !strings.Contains(doc.text, row) {
			t.Errorf("%s has no row %s", doc.name, row)
		}
	})
	if n == 0 {
		t.Error("the sources have no routes: this test looks in the wrong place")
	}
}

// constants are the string constants of a type, or of a prefix.
func constants(t *testing.T, pattern, prefix string) []string {
	t.Helper()
	var list []string
	inspect(t, pattern, func(n ast.Node) {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return
		}
		for i, name := range spec.Names {
			if strings.HasPrefix(name.Name, prefix) && i < len(spec.Values) {
				if s := text(spec.Values[i]); s != "" {
					list = append(list, s)
				}
			}
		}
	})
	return list
}

func TestErrorTypesAndEventsAreNamed(t *testing.T) {
	doc := read(t, "docs/admin-api.md")
	wantNamed(t, "error type", constants(t, "admin/types.go", "Type"), doc)
	wantNamed(t, "event", constants(t, "control/events.go", "Event"), doc)
	wantNamed(t, "event", constants(t, "app/set.go", "Event"), doc)
}

func TestMetricsAreNamed(t *testing.T) {
	var names []string
	inspect(t, "admin/metrics.go", func(n ast.Node) {
		if call, ok := n.(*ast.CallExpr); ok && len(call.Args) > 1 {
			if f, ok := call.Fun.(*ast.Ident); ok && f.Name == "desc" {
				names = append(names, "nano_"+text(call.Args[0]))
			}
		}
	})
	wantNamed(t, "metric", names, read(t, "docs/operations.md"))
}

// Every command of the program stands in the README or in the operator's document.
func TestCommandsAreNamed(t *testing.T) {
	all := read(t, "README.md").text + read(t, "docs/operations.md").text
	var names []string
	inspect(t, "cmd/nano/*.go", func(n ast.Node) {
		if typ, f := fields(n); typ == "Command" && f["Name"] != "" {
			names = append(names, f["Name"])
		}
		if call, ok := n.(*ast.CallExpr); ok && len(call.Args) > 0 {
			if f, ok := call.Fun.(*ast.Ident); ok && f.Name == "oneByOne" {
				names = append(names, text(call.Args[0]))
			}
		}
	})
	if len(names) == 0 {
		t.Fatal("the sources have no commands: this test looks in the wrong place")
	}
	for _, name := range names {
		if !strings.Contains(all, "nano "+name) && !strings.Contains(all, "nano apps "+name) {
			t.Errorf("neither README.md nor docs/operations.md names the command %q", name)
		}
	}
}
