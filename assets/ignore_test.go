package assets

import (
	"strings"
	"testing"
)

func TestIgnores(t *testing.T) {
	tests := []struct {
		lines, name string
		want        bool
	}{
		{"", "a", false},
		{"# a\n\n", "a", false},
		{"a", "a", true},
		{"a\r\n", "a", true},
		{"a", "b/a", true},
		{"a", "a/b", true},
		{"a", "ab", false},
		{"/a", "a", true},
		{"/a", "b/a", false},
		{"a/", "a", false},
		{"a/", "a/b", true},
		{"a/", "b/a/c", true},
		{"a/b", "a/b", true},
		{"a/b", "c/a/b", false},
		{"*.map", "a.js.map", true},
		{"*.map", "deep/a.map", true},
		{"a/*", "a/b/c", true},
		{"a/*.js", "a/b/c.js", false},
		{"a/**", "a", false},
		{"a/**", "a/b/c", true},
		{"**/a/b", "x/y/a/b", true},
		{"**/a/b", "a/b", true},
		{"a/**/b", "a/x/y/b", true},
		{"a/**/b", "a/b", true},
		{"*.txt\n!keep.txt", "keep.txt", false},
		{"*.txt\n!keep.txt", "other.txt", true},
		{"!a\na", "a", true},
		{"a/\n!a/b", "a/b", true},
		{"[", "[", false},
	}
	for _, tt := range tests {
		t.Run(tt.lines+" "+tt.name, func(t *testing.T) {
			if got := ignores(parseRules(strings.Split(tt.lines, "\n")), tt.name); got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

// What an app ignores costs no more for many stars than for one.
func TestManyStars(t *testing.T) {
	rules := parseRules([]string{strings.Repeat("**/", 20) + "z"})
	if name := strings.Repeat("a/", 1000); ignores(rules, name+"b") || !ignores(rules, name+"z") {
		t.Error("the end of the name doesn't count")
	}
}

func TestIgnore(t *testing.T) {
	srv, _ := site(t, Options{Ignore: []string{"/index.js", "node_modules/"}}, map[string]string{
		".assetsignore":      "private/\n*.map\n!index.js\n",
		"a.txt":              "a",
		"a.js.map":           "SECRET",
		"index.js":           "SECRET",
		"sub/index.js":       "public",
		"private/index.html": "SECRET",
		"node_modules/x.js":  "SECRET",
	})
	for target, want := range map[string]int{
		"/a.txt": 200, "/sub/index.js": 200,
		"/a.js.map": 599, "/index.js": 599, "/private": 599, "/private/": 599, "/node_modules/x.js": 599, "/.assetsignore": 599,
	} {
		if got := ask(t, srv, "GET", target); got.status != want {
			t.Errorf("%s: got %d %q, want %d", target, got.status, got.body, want)
		}
	}
}
