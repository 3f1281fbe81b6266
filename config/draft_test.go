package config

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func decodeApp(t testing.TB, name, body string) *Draft {
	t.Helper()
	d, err := DecodeApp(name, []byte(body))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestDecodeAppErrors(t *testing.T) {
	tests := map[string]struct{ name, body, want string }{
		"nothing":         {"a", ``, `request:1:1: not JSON: unexpected end of JSON input`},
		"cut off":         {"a", `{"root":`, `request:1:8: not JSON: unexpected end of JSON input`},
		"not JSON":        {"a", "{\n root: 1}", `request:2:2: not JSON: invalid character 'r' looking for beginning of object key string`},
		"comment":         {"a", `{} // x`, `request:1:4: not JSON: invalid character '/' after top-level value`},
		"trailing comma":  {"a", `{"root": "/x",}`, `request:1:15: not JSON: invalid character '}' looking for beginning of object key string`},
		"not UTF-8":       {"a", "{\"root\": \"\xff\"}", `request:1:1: not JSON: it is not UTF-8`},
		"two values":      {"a", `{}{}`, `request:1:3: not JSON: invalid character '{' after top-level value`},
		"list":            {"a", `[]`, `request:1:1: an app is a list; write an object, such as { "hosts": ["blog.example.com"], "root": "/srv/blog" }`},
		"null":            {"a", `null`, `request:1:1: an app is null; write an object, such as { "hosts": ["blog.example.com"], "root": "/srv/blog" }`},
		"key twice":       {"a", `{"root": "/a", "root": "/b"}`, `request:1:16: "root" is given twice, first on line 1; keep one of them`},
		"deep":            {"a", `{"env": ` + strings.Repeat("[", 200) + strings.Repeat("]", 200) + `}`, `request:1:109: not JSON: objects and arrays nest deeper than 100`},
		"huge number":     {"a", `{"env": {"A": 1e999}}`, `request:1:15: the number 1e999 is too big`},
		"no name":         {"", `{}`, `request:1:1: the app has no name; add "name": "blog"`},
		"bad name":        {"", `{"name": "My Blog"}`, `request:1:10: "My Blog" is no name for an app; write 1 to 63 lower-case letters, digits and dashes, with no dash first or last, such as "my-blog"`},
		"bad name in URL": {"../x", `{}`, `request:1:1: "../x" is no name for an app; write 1 to 63 lower-case letters, digits and dashes, with no dash first or last, such as "x"`},
		"number as name":  {"", `{"name": 5}`, `request:1:10: name is the integer 5; write a string such as "blog"`},
		"two names":       {"a", `{"name": "b"}`, `request:1:10: name is "b", and the app's address says "a"; leave the key out`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			d, err := DecodeApp(tt.name, []byte(tt.body))
			var problems Problems
			if !errors.As(err, &problems) || d != nil {
				t.Fatalf("got %v, %v; want Problems", d, err)
			}
			if err.Error() != tt.want {
				t.Errorf("got  %s\nwant %s", err, tt.want)
			}
		})
	}
}

// TestPutSaysWhatAFileWould checks that a request to the admin API is judged as
// the file that it becomes.
func TestPutSaysWhatAFileWould(t *testing.T) {
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "nano.toml"), "[apps.first]\nhosts = ['first.example']\nroot = 'first'\n")
	writeFile(t, filepath.Join(dir, "first", "index.js"), "")
	body := `{
		"hosts": ["FIRST.example", "x:80", 5],
		"root": "relative",
		"colour": "red",
		"env": {"A": null, "B": [1, {"c": 9007199254740993}]},
		"secrets": {"S": "hunter2"},
		"limits": {"memory": 128, "cpu": "1 sec", "isolates": 0},
		"default": "yes"
	}`
	o := options(dir)
	o.Put = decodeApp(t, "a", body)
	_, fromRequest := Load(o)

	// null has no form in TOML.
	o.Put = decodeApp(t, "a", strings.Replace(body, `"A": null, `, "", 1))
	if err := WriteApp(o.StateDir, o.Put); err != nil {
		t.Fatal(err)
	}
	o.Put = nil
	_, fromFile := Load(o)

	messages := func(err error) []string {
		var problems Problems
		if !errors.As(err, &problems) {
			t.Fatalf("got %v; want Problems", err)
		}
		var m []string
		for _, p := range problems {
			if !strings.Contains(p.Message, "env.A is null") {
				m = append(m, p.Message)
			}
		}
		return m
	}
	request, file := messages(fromRequest), messages(fromFile)
	if diff := cmp.Diff(file, request); diff != "" || len(file) < 10 {
		t.Errorf("%d messages, -file +request:\n%s", len(file), diff)
	}
	first := fromRequest.(Problems)[0]
	if want := "request:2:13: host \"first.example\" is already claimed by app \"first\" at " + filepath.Join(dir, "nano.toml:2:10"); !strings.HasPrefix(first.String(), want) {
		t.Errorf("got  %s\nwant %s", first, want)
	}
}

func TestPutAndRemove(t *testing.T) {
	dir := t.TempDir()
	root := filepath.Join(dir, "a")
	writeFile(t, filepath.Join(root, "index.js"), "")
	writeFile(t, filepath.Join(dir, "nano.toml"), "[defaults]\nidle = '1h'\n")
	names := func(o Options) (names []string) {
		t.Helper()
		c, err := Load(o)
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range c.Apps {
			names = append(names, a.Name+" "+a.Hosts[0].String())
		}
		return names
	}
	o := options(dir)
	write := func(d *Draft) {
		t.Helper()
		if err := WriteApp(o.StateDir, d); err != nil {
			t.Fatal(err)
		}
	}
	write(decodeApp(t, "one", `{"hosts": ["one.example"], "root": "`+root+`"}`))
	write(decodeApp(t, "", `{"name": "two", "hosts": ["two.example"], "root": "`+root+`"}`))
	check := func(what string, o Options, want ...string) {
		t.Helper()
		if diff := cmp.Diff(want, names(o)); diff != "" {
			t.Errorf("%s: -want +got:\n%s", what, diff)
		}
	}
	check("both", o, "one one.example", "two two.example")

	with := o
	with.Put = decodeApp(t, "one", `{"hosts": ["other.example"], "root": "`+root+`"}`)
	check("one replaced", with, "one other.example", "two two.example")
	with.Put = decodeApp(t, "three", `{"hosts": ["three.example"], "root": "`+root+`"}`)
	check("one more", with, "one one.example", "three three.example", "two two.example")
	without := o
	without.Remove = "one"
	check("one less", without, "two two.example")
	check("nothing was written", o, "one one.example", "two two.example")

	c, err := Load(with)
	if err != nil {
		t.Fatal(err)
	}
	for _, app := range c.Apps {
		if want := filepath.Join(o.StateDir, "apps.d", app.Name+".toml"); app.Origin.File != want || !app.Origin.State {
			t.Errorf("origin of %s is %+v; want %s", app.Name, app.Origin, want)
		}
		if app.Idle != 3600e9 {
			t.Errorf("%s is without the defaults", app.Name)
		}
	}

	if err := RemoveApp(o.StateDir, "one"); err != nil {
		t.Fatal(err)
	}
	check("one removed", o, "two two.example")
	if err := RemoveApp(o.StateDir, "one"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("removed twice: %v", err)
	}
	if _, err := ReadApp(o.StateDir, "one"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("read after it was removed: %v", err)
	}
	for _, name := range []string{"../two", "", "TWO", "a/b"} {
		if err := RemoveApp(o.StateDir, name); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("RemoveApp(%q) = %v", name, err)
		}
		if _, err := ReadApp(o.StateDir, name); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("ReadApp(%q) = %v", name, err)
		}
	}
}

// TestDraftRoundTrip writes a draft with all that is hard to quote.
func TestDraftRoundTrip(t *testing.T) {
	dir := t.TempDir()
	body := `{
		"name": "a",
		"hosts": ["a.example", "bücher.example"],
		"root": "/srv/a \"b\"\\c\n\t\u0001\u007f\u2028",
		"enabled": false,
		"env": {"": "x", "a b": 1, "ü": -2, "f": 1.5, "g": 1e21, "h": 3.0, "small": 5e-324, "yes": true, "l": [], "o": {}, "deep": [[{"x": [1, "y"]}]], "'": "'''"},
		"secrets": {"S": "file:/run/secret", "T": "credential:db"},
		"limits": {"memory": "64MiB"}
	}`
	d := decodeApp(t, "", body)
	if d.Name() != "a" {
		t.Errorf("the name is %q", d.Name())
	}
	if err := WriteApp(dir, d); err != nil {
		t.Fatal(err)
	}
	read, err := ReadApp(dir, "a")
	if err != nil {
		t.Fatalf("%v\n%s", err, d.TOML())
	}
	if diff := cmp.Diff(string(d.TOML()), string(read.TOML())); diff != "" {
		t.Errorf("TOML -written +read:\n%s", diff)
	}
	got, err := json.Marshal(read)
	if err != nil {
		t.Fatal(err)
	}
	want := strings.NewReplacer("file:/run/secret", "file:***", "credential:db", "credential:***").Replace(body)
	var wantValue, gotValue any
	if err := errors.Join(json.Unmarshal([]byte(want), &wantValue), json.Unmarshal(got, &gotValue)); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(wantValue, gotValue); diff != "" {
		t.Errorf("JSON -want +got:\n%s", diff)
	}

	// What is read back can be written back: enable, and keep the rest.
	if on := read.SetEnabled(true); !strings.Contains(string(on.TOML()), "\nenabled = true\n") {
		t.Errorf("got %s", on.TOML())
	}
	if !strings.Contains(string(read.TOML()), "\nenabled = false\n") {
		t.Error("SetEnabled changed the draft that it was called on")
	}
	if on := decodeApp(t, "b", `{}`).SetEnabled(false); !strings.Contains(string(on.TOML()), "[apps.b]\nenabled = false\n") {
		t.Errorf("got %s", on.TOML())
	}
}

func TestBlottedSecretsCannotBeWrittenBack(t *testing.T) {
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "nano.toml"), "")
	shown, err := json.Marshal(decodeApp(t, "a", `{"hosts": ["a.example"], "root": "/", "enabled": false, "secrets": {"S": "credential:db", "T": 5}}`))
	if err != nil {
		t.Fatal(err)
	}
	o := options(dir)
	o.Put = decodeApp(t, "a", string(shown))
	_, err = Load(o)
	if err == nil || !strings.Contains(err.Error(), "secrets.S: this is how a secret is shown; write where it comes from in full") {
		t.Errorf("got %v", err)
	}
}

func TestWriteAppIsPrivateAndClean(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	d := decodeApp(t, "a", `{"root": "/a"}`)
	for range 2 {
		if err := WriteApp(dir, d); err != nil {
			t.Fatal(err)
		}
	}
	entries, err := os.ReadDir(filepath.Join(dir, "apps.d"))
	if err != nil || len(entries) != 1 {
		t.Fatalf("got %v, %v; want one file", entries, err)
	}
	info, err := entries[0].Info()
	if err != nil || info.Mode() != 0o600 {
		t.Errorf("the file's mode is %v, %v", info.Mode(), err)
	}
	if info, err := os.Stat(filepath.Join(dir, "apps.d")); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the folder's mode is %v, %v", info.Mode(), err)
	}

	// A write that was killed half-way is overwritten by the next one.
	writeFile(t, filepath.Join(dir, "apps.d", ".a.toml.new"), "[apps.a]\nroot = \"/ha")
	writeFile(t, filepath.Join(dir, "nano.toml"), "")
	if err := WriteApp(dir, d); err != nil {
		t.Fatal(err)
	}
	if entries, _ := os.ReadDir(filepath.Join(dir, "apps.d")); len(entries) != 1 {
		t.Errorf("left over: %v", entries)
	}

	// One that fails says so, and leaves what was.
	blocked := filepath.Join(dir, "apps.d", "b.toml", "x")
	writeFile(t, blocked, "")
	if err := WriteApp(dir, decodeApp(t, "b", `{}`)); err == nil || !strings.HasPrefix(err.Error(), `cannot write app "b": `) {
		t.Errorf("got %v", err)
	}
	if _, err := os.Stat(blocked); err != nil {
		t.Error(err)
	}
	if entries, _ := os.ReadDir(filepath.Join(dir, "apps.d")); len(entries) != 2 {
		t.Errorf("left over: %v", entries)
	}
	writeFile(t, filepath.Join(dir, "file"), "")
	if err := WriteApp(filepath.Join(dir, "file"), d); err == nil {
		t.Error("no error for a state directory that is a file")
	}
}

func TestReadAppErrors(t *testing.T) {
	for text, want := range map[string]string{
		"[apps.b]\n":    ":1:1: the file has no table [apps.a]; add it",
		"apps = 5\n":    ":1:1: the file has no table [apps.a]; add it",
		"apps.a = 5\n":  ":1:1: the file has no table [apps.a]; add it",
		"[apps.a\n":     ":1:8: not TOML: expected ']' to close table name",
		"x = 1\nx = 2 ": `:2:1: "x" is given twice, first on line 1; keep one of them`,
	} {
		dir := t.TempDir()
		path := filepath.Join(dir, "apps.d", "a.toml")
		writeFile(t, path, text)
		if _, err := ReadApp(dir, "a"); err == nil || err.Error() != path+want {
			t.Errorf("%q: got %v; want %s", text, err, want)
		}
	}
}

// FuzzDecodeApp checks that no request makes the API panic, and that what it
// takes can be written and read back.
func FuzzDecodeApp(f *testing.F) {
	f.Add(`{"hosts": ["a.example"], "root": "/x", "env": {"A": [1, 1.5, "\u2028"]}, "limits": {"memory": "1MiB"}}`)
	f.Add(`{"name": "a", "secrets": {"A": "file:/x", "B": 1}, "egress": ["10.0.0.0/8"], "idle": "never"}`)
	f.Add(`{"": null, "\u0000": -0, "a.b": 1e5, "x": {"y": {}}}`)
	dir := f.TempDir()
	writeFile(f, filepath.Join(dir, "nano.toml"), "")
	f.Fuzz(func(t *testing.T, body string) {
		d, err := DecodeApp("a", []byte(body))
		if err != nil {
			return
		}
		if _, err := json.Marshal(d); err != nil {
			t.Error(err)
		}
		o := options(dir)
		o.Put = d
		c, err := Load(o)
		var problems Problems
		if err != nil && !errors.As(err, &problems) {
			t.Fatalf("Load returned %v; want Problems", err)
		}
		if c == nil {
			return // null, which TOML has not, is among what is refused
		}
		if err := WriteApp(o.StateDir, d); err != nil {
			t.Fatal(err)
		}
		o.Put = nil
		again, err := Load(o)
		if again == nil {
			t.Fatalf("%v\n%s", err, d.TOML())
		}
		if !again.Apps[0].Same(c.Apps[0]) {
			t.Errorf("put %+v, read %+v from\n%s", c.Apps[0], again.Apps[0], d.TOML())
		}
	})
}

func jsonText(v any) (string, error) {
	text, err := json.Marshal(v)
	return string(text), err
}
