package config

import (
	"errors"
	"fmt"
	"math"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/pelletier/go-toml/v2"
)

// render writes a tree with the position of each value and key.
func render(n *node) string {
	at := fmt.Sprintf("@%d:%d", n.at.line, n.at.column)
	switch n.kind {
	case table:
		var parts []string
		for _, m := range n.members {
			parts = append(parts, fmt.Sprintf("%s@%d:%d=%s", m.key, m.at.line, m.at.column, render(m.value)))
		}
		return "{" + strings.Join(parts, " ") + "}" + at
	case list:
		var parts []string
		for _, item := range n.items {
			parts = append(parts, render(item))
		}
		return "[" + strings.Join(parts, " ") + "]" + at
	}
	return fmt.Sprintf("%#v%s", n.value, at)
}

func TestParseTOML(t *testing.T) {
	tests := map[string]struct{ text, want string }{
		"scalars":           {"a = 'x'\nb = 0x_1F\nb2 = 1_000\nc = -1.5e3\nd = false\n", ""},
		"values":            {"a = 'x'\nb = 0x1F\nc = 1_0.5\nd = false", `{a@1:1="x"@1:5 b@2:1=31@2:5 c@3:1=10.5@3:5 d@4:1=false@4:5}@1:1`},
		"special":           {"a = +7\nb = -inf\nc = 0o17\nd = 0b11", `{a@1:1=7@1:5 b@2:1=-Inf@2:5 c@3:1=15@3:5 d@4:1=3@4:5}@1:1`},
		"columns are runes": {"\"ü\" = { ä = 'ö', b = 1 }", ""},
		"quoted key":        {"'ü' = { 'ä' = 'ö', b = 1 }", `{ü@1:1={ä@1:9="ö"@1:15 b@1:20=1@1:24}@1:7}@1:1`},
		"lists":             {"a = [\n  1,\n  [ 2 ],\n]\n", `{a@1:1=[1@2:3 [2@3:5]@1:5]@1:5}@1:1`},
		"dotted":            {"a.b . c = 1\na.b.d = 2", `{a@1:1={b@1:3={c@1:7=1@1:11 d@2:5=2@2:9}@1:3}@1:1}@1:1`},
		"headers":           {"[a.b]\nx = 1\n[a]\ny = 2\n", `{a@1:2={b@1:4={x@2:1=1@2:5}@1:4 y@4:1=2@4:5}@1:2}@1:1`},
		"tables in a list":  {"[[a]]\nx = 1\n[[a]]\n[a.b]\ny = 2\n", `{a@1:3=[{x@2:1=1@2:5}@1:3 {b@4:4={y@5:1=2@5:5}@4:4}@3:3]@1:3}@1:1`},
		"multi-line string": {"a = '''\n1\n2'''\nb = 1", `{a@1:1="1\n2"@1:5 b@4:1=1@4:5}@1:1`},
		"nothing":           {"\n# only a comment", `{}@1:1`},
		"CRLF":              {"a = 1\r\nb = 2\r\n", `{a@1:1=1@1:5 b@2:1=2@2:5}@1:1`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			root, faults, complete := parseTOML([]byte(tt.text))
			if tt.want == "" {
				if len(faults) == 0 || complete {
					t.Fatalf("got %s; want a fault", render(root))
				}
				return
			}
			if len(faults) > 0 || !complete {
				t.Fatalf("got the faults %v", faults)
			}
			if got := render(root); got != tt.want {
				t.Errorf("\n got %s\nwant %s", got, tt.want)
			}
		})
	}
}

func TestParseTOMLFaults(t *testing.T) {
	deep := strings.Repeat("[", maxDepth+2) + strings.Repeat("]", maxDepth+2)
	keys := strings.Repeat("a.", maxDepth) + "a"
	tests := map[string]struct{ text, want string }{
		"big integer":               {"a = 9223372036854775808", "1:5 the integer 9223372036854775808 does not fit into 64 bits"},
		"big float":                 {"a = 1e999", "1:5 the number 1e999 is too big"},
		"deep list":                 {"a = " + deep, "1:5 tables and lists nest deeper than 100"},
		"long key":                  {keys + " = 1", "1:1 this key has more than 100 parts"},
		"long header":               {"[" + keys + "]\nb = 1", "1:2 this key has more than 100 parts"},
		"header extends inline":     {"a = {}\n[a.b]", `2:2 "a" is given twice, first on line 1; keep one of them`},
		"header repeats dotted":     {"[a]\nb.c = 1\n[a.b]", `3:4 "b" is given twice, first on line 2; keep one of them`},
		"dotted extends header":     {"[a.b]\n[a]\nb.c = 1", `3:1 "b" is given twice, first on line 1; keep one of them`},
		"dotted extends inline":     {"a = {}\na.b = 1", `2:1 "a" is given twice, first on line 1; keep one of them`},
		"list extends plain list":   {"a = []\n[[a]]", `2:3 "a" is given twice, first on line 1; keep one of them`},
		"header in plain list":      {"a = [1]\n[a.b]", `2:2 "a" is given twice, first on line 1; keep one of them`},
		"value repeats header":      {"[a]\n[b]\n[a]", `3:2 "a" is given twice, first on line 1; keep one of them`},
		"twice in an inline table":  {"a = { b = 1, b = 2 }", `1:14 "b" is given twice, first on line 1; keep one of them`},
		"not UTF-8":                 {"a = '\xff'", "1:6 not TOML: invalid UTF-8 character in literal string"},
		"end of input":              {"a = ", "1:4 not TOML: expected value, not end of input"},
		"bare carriage return":      {"a = 1\rb = 2", "1:6 not TOML: expected newline but got U+000D"},
		"number without quotes":     {"a = 20s", "1:7 not TOML: strings must be quoted"},
		"path without quotes":       {"a = /srv", "1:5 not TOML: unexpected character U+002F '/' at start of value; a string stands in quotes"},
		"second line, and in runes": {"a = 1\n'üü' x", "2:6 not TOML: expected '=' after key"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, faults, _ := parseTOML([]byte(tt.text))
			var got []string
			for _, f := range faults {
				got = append(got, fmt.Sprintf("%d:%d %s", f.at.line, f.at.column, f.message))
			}
			if diff := cmp.Diff([]string{tt.want}, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestParseJSONC(t *testing.T) {
	tests := map[string]struct{ text, want string }{
		"plain":            {`{"a": [1, 2.5, "x", true]}`, `{a@1:2=[1@1:8 2.5@1:11 "x"@1:16 true@1:21]@1:7}@1:1`},
		"comments":         {"// x\n{ /* \" */ \"a\" /**/ : // ,\n 1 }", `{a@2:11=1@3:2}@2:1`},
		"trailing commas":  {`{"a": [1, /* x */ ], }`, `{a@1:2=[1@1:8]@1:7}@1:1`},
		"not in strings":   {`{"a": "/* // , ] \" // */"}`, `{a@1:2="/* // , ] \" // */"@1:7}@1:1`},
		"comma in comment": {"[1 // ,\n]", `[1@1:2]@1:1`},
		"byte order mark":  {"\ufeff{}", `{}@1:1`},
		"escaped":          {`"a\\"`, `"a\\"@1:1`},
		"comma alone":      {`[,]`, ""},
		"two commas":       {`[1,,]`, ""},
		"comma in object":  {`{,}`, ""},
		"comma after all":  {`{},`, ""},
		"open string":      {`{"a`, ""},
		"open comment":     {`{/*`, ""},
		"slash":            {`{/}`, ""},
		"ends in escape":   {`"\`, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			root, faults := parseJSONC([]byte(tt.text))
			if tt.want == "" {
				if len(faults) != 1 || root != nil {
					t.Fatalf("got %v, %v; want a fault", root, faults)
				}
				return
			}
			if len(faults) > 0 {
				t.Fatalf("got the faults %v", faults)
			}
			if got := render(root); got != tt.want {
				t.Errorf("\n got %s\nwant %s", got, tt.want)
			}
		})
	}
}

func TestUnits(t *testing.T) {
	for text, want := range map[string]int64{
		"0B": 0, "1B": 1, "1KB": 1000, "1KiB": 1024, "1.5MiB": 3 << 19, "128 MiB": 128 << 20, " 2GB ": 2e9, "1TiB": 1 << 40,
	} {
		if got, err := parseSize(text); err != nil || got != want {
			t.Errorf("parseSize(%q) = %d, %v; want %d", text, got, err, want)
		}
	}
	for size, want := range map[int64]string{0: "0B", 1: "1B", 1000: "1KB", 1024: "1KiB", 3 << 19: "1536KiB", 128 << 20: "128MiB", 2e9: "2GB", 1234567: "1234567B"} {
		got := formatSize(size)
		if back, err := parseSize(got); got != want || err != nil || back != size {
			t.Errorf("formatSize(%d) = %q, which is %d, %v; want %q", size, got, back, err, want)
		}
	}
	for d, want := range map[time.Duration]string{
		0: "0s", time.Minute: "1m", time.Hour: "1h", 90 * time.Minute: "1h30m", 50 * time.Millisecond: "50ms", time.Hour + time.Second: "1h0m1s",
		8760 * time.Hour: "8760h", 10 * time.Minute: "10m", 10 * time.Second: "10s", 100 * time.Hour: "100h",
	} {
		got := formatDuration(d)
		if back, err := parseDuration(got); got != want || err != nil || back != d {
			t.Errorf("formatDuration(%v) = %q, which is %v, %v; want %q", d, got, back, err, want)
		}
	}
}

func TestParseAccessLog(t *testing.T) {
	for text, want := range map[string]float64{"all": 1, "off": 0, "100%": 1, "0%": 0, "5%": 0.05, "0.1 %": 0.001} {
		if got, err := parseAccessLog(text); err != nil || got != want {
			t.Errorf("parseAccessLog(%q) = %v, %v; want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "5", "on", "-1%", "101%", "NaN%", "%"} {
		if got, err := parseAccessLog(text); err == nil {
			t.Errorf("parseAccessLog(%q) = %v; want an error", text, got)
		}
	}
}

func TestNearest(t *testing.T) {
	for word, want := range map[string]string{
		"hosts": "hosts", "host": "hosts", "hsots": "hosts", "Hosts": "hosts", "not-found": "not_found", "notFound": "not_found", "limit": "limits",
		"enviroment": "", "x": "", "": "", "root_dir": "", "dfeault": "default", "secret": "secrets", "egresss": "egress",
	} {
		if got := nearest(word, appKeys); got != want {
			t.Errorf("nearest(%q) = %q; want %q", word, got, want)
		}
	}
}

func TestEgress(t *testing.T) {
	tests := []struct {
		rule, host, addr string
		want             bool
	}{
		{"10.0.0.0/8", "x", "10.1.2.3:80", true},
		{"10.0.0.0/8", "x", "[::ffff:10.1.2.3]:80", true},
		{"::ffff:10.0.0.0/104", "x", "10.1.2.3:80", true},
		{"10.0.0.0/8", "x", "11.0.0.0:80", false},
		{"10.0.0.0/8", "x", "[::10.1.2.3]:80", false},
		{"192.168.1.5", "x", "192.168.1.5:1", true},
		{"192.168.1.5:8080", "x", "192.168.1.5:8080", true},
		{"192.168.1.5:8080", "x", "192.168.1.5:8081", false},
		{"[fd00::1]", "x", "[fd00::1]:443", true},
		{"[fd00::1]:443", "x", "[fd00::1]:80", false},
		{"fe80::/10", "x", "[fe80::1%eth0]:80", true},
		{"localhost", "localhost", "127.0.0.1:80", true},
		{"localhost", "127.0.0.1", "127.0.0.53:80", true},
		{"localhost", "localhost", "[::1]:80", true},
		{"localhost", "x", "[::ffff:127.0.0.1]:80", true},
		{"localhost", "localhost", "10.0.0.1:80", false},
		{"LocalHost:3000", "localhost", "127.0.0.1:3000", true},
		{"localhost:3000", "localhost", "127.0.0.1:3001", false},
		{"API.internal.:8443", "api.internal", "10.0.0.1:8443", true},
		{"api.internal:8443", "api.internal", "10.0.0.1:443", false},
		{"api.internal", "api.internal", "10.0.0.1:443", true},
		{"api.internal", "x.api.internal", "10.0.0.1:443", false},
		{"bücher.internal", "xn--bcher-kva.internal", "10.0.0.1:443", true},
	}
	for _, tt := range tests {
		rule, err := parseEgress(tt.rule)
		if err != nil {
			t.Errorf("parseEgress(%q): %v", tt.rule, err)
			continue
		}
		if got := rule.Allows(tt.host, netip.MustParseAddrPort(tt.addr)); got != tt.want {
			t.Errorf("%s allows %s at %s: %t; want %t", tt.rule, tt.host, tt.addr, got, tt.want)
		}
		if again, err := parseEgress(rule.String()); err != nil || again != rule {
			t.Errorf("%s is written as %s, which is %v, %v", tt.rule, rule, again, err)
		}
	}
	if (EgressRule{}).Allows("", netip.MustParseAddrPort("10.0.0.1:80")) {
		t.Error("the zero rule allows something")
	}
}

func TestSecretsAreNeverShown(t *testing.T) {
	ref, err := parseSecret("file:/very/private", "/")
	if err != nil {
		t.Fatal(err)
	}
	app := App{Secrets: map[string]SecretRef{"S": ref}}
	for _, text := range []string{fmt.Sprint(ref), fmt.Sprintf("%+v %#v %q %s", ref, ref, ref, ref), fmt.Sprintf("%v %+v %#v", app, app, &app), fmt.Sprint(&ref), mustJSON(t, app), mustJSON(t, ref)} {
		if strings.Contains(text, "private") || !strings.Contains(text, "file:***") {
			t.Errorf("shown as %s", text)
		}
	}
}

func mustJSON(t *testing.T, v any) string {
	t.Helper()
	text, err := jsonText(v)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestResolve(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("CREDENTIALS_DIRECTORY", dir)
	t.Setenv("NANO_TEST_SECRET", "from env\n")
	writeFile(t, filepath.Join(dir, "plain"), "hunter2")
	writeFile(t, filepath.Join(dir, "lines"), "a\n\r\n")
	writeFile(t, filepath.Join(dir, "empty"), "")
	writeFile(t, filepath.Join(dir, "binary"), "hunter2\xff")
	writeFile(t, filepath.Join(dir, "big"), strings.Repeat("x", maxSecret+1))
	tests := map[string]struct{ ref, want, err string }{
		"credential":       {"credential:plain", "hunter2", ""},
		"one line end":     {"credential:lines", "a\n", ""},
		"empty":            {"credential:empty", "", ""},
		"absolute file":    {"file:" + filepath.Join(dir, "plain"), "hunter2", ""},
		"relative file":    {"file:plain", "hunter2", ""},
		"variable":         {"env:NANO_TEST_SECRET", "from env\n", ""},
		"no credential":    {"credential:none", "", `cannot read credential "none": there is none of that name; add LoadCredential=none:… to the systemd unit`},
		"no file":          {"file:none", "", `cannot read secret file "` + filepath.Join(dir, "none") + `": stat ` + filepath.Join(dir, "none") + `: no such file or directory`},
		"no variable":      {"env:NANO_TEST_NONE", "", `cannot read secret: the daemon's environment has no variable "NANO_TEST_NONE"`},
		"binary":           {"file:binary", "", `cannot read secret file "` + filepath.Join(dir, "binary") + `": it is not UTF-8`},
		"big":              {"credential:big", "", `cannot read credential "big": it is longer than 1MiB`},
		"folder as a file": {"file:.", "", `cannot read secret file "` + dir + `": it is not a regular file`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			ref, err := parseSecret(tt.ref, dir)
			if err != nil {
				t.Fatal(err)
			}
			got, err := ref.Resolve()
			if tt.err == "" && err == nil && got == tt.want {
				return
			}
			if err == nil || err.Error() != tt.err || got != "" {
				t.Errorf("got %q, %v; want %q, %s", got, err, tt.want, tt.err)
			}
		})
	}
	os.Unsetenv("CREDENTIALS_DIRECTORY")
	if _, err := (SecretRef{Credential, "x"}).Resolve(); err == nil || !strings.Contains(err.Error(), "add LoadCredential=x:…") {
		t.Errorf("got %v", err)
	}
	if _, err := (SecretRef{}).Resolve(); err == nil {
		t.Error("the zero reference has a secret")
	}
}

// FuzzLoad checks that no file makes Load panic, and that whatever is wrong
// has a place.
func FuzzLoad(f *testing.F) {
	for _, seed := range []string{
		"[server]\nlisten = ['127.0.0.1:8080']\naccess_log = '5%'\n[defaults]\nenv.A = 1\n[apps.a]\nhosts = ['*.a.example']\nroot = '.'\nassets = '.'\n",
		"[apps.a]\nhosts = ['http://x', '::1']\nenv = {a = [nan, 1979-05-27, {b = 0x1}]}\nsecrets = {a = 'env:X'}\nlimits = {memory = '1e9'}\n",
		"[[apps]]\n[[apps.a.b]]\n[apps.'']\napps.x = '''\n'''\n",
		"a.b.c = 1\n[a]\nb = {}\n[a.b.c]\nx = \"\\u00e9\"",
		"idle = '1d'\negress = ['::ffff:0:0/95']\ntrusted_proxies = [\"\\x41\"]",
	} {
		f.Add(seed, seed)
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, main, app string) {
		writeFile(t, filepath.Join(dir, "nano.toml"), main)
		writeFile(t, filepath.Join(dir, "apps.d", "a.toml"), app)
		c, err := Load(options(dir))
		var problems Problems
		switch {
		case err == nil && c == nil:
			t.Error("neither a Config nor an error")
		case err != nil && (!errors.As(err, &problems) || len(problems) == 0):
			t.Errorf("Load returned %v; want Problems", err)
		}
		for _, p := range problems {
			if p.Line < 1 || p.Column < 1 || p.File == "" || p.Message == "" || strings.ContainsAny(p.Message, "\n\x00") {
				t.Errorf("incomplete problem %+v", p)
			}
		}
		if c == nil {
			return
		}
		if _, err := jsonText(c.Apps); err != nil {
			t.Error(err)
		}
		if r := c.Server.AccessLog; r < 0 || r > 1 || math.IsNaN(r) {
			t.Errorf("access log of %v", r)
		}
	})
}

// FuzzParseTOML checks that what is accepted is TOML, and the other way round.
func FuzzParseTOML(f *testing.F) {
	for _, seed := range []string{
		"a = 1\n[b]\nc.d = 2\n[b.e]\n", "[[a]]\n[a.b]\n[[a]]\n[[a.c]]\n", "a = {b.c = 1, d = [{}, {e = 'x'}]}\n", "[a.b]\n[a]\nb.c = 1\n",
		"a.b = 1\n[a]\n", "a = []\n[[a]]\n", "a.b = 1\na.b.c = 2\n", "[a]\n[a.b]\n[a]\n", "[[a]]\n[a]\n", "[a]\n[[a]]\n", "a={}\na.b=1", "[[a.b]]\n[a]\nb.c=1",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		root, faults, _ := parseTOML([]byte(text))
		err := toml.Unmarshal(withoutBOM([]byte(text)), new(map[string]any))
		if strings.Contains(render(root), "the date") || strings.Contains(fmt.Sprint(faults), "than 100") {
			return // dates aren't looked into, and depth is bounded
		}
		if (len(faults) > 0) != (err != nil) {
			t.Errorf("got the faults %v; the library says %v", faults, err)
		}
	})
}
