package bundle

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestMapsStayInside has scripts name source maps that the app may not import: they are
// as scripts without one.
func TestMapsStayInside(t *testing.T) {
	const files = `
app index.js
-- app/index.js --
import "./a.js"
-- app/a.js --
console.log("//# sourceMappingURL=in-a-string")
//# sourceMappingURL=MAP
-- app/inside.map --
{ "version": 3, "sources": ["original.ts"], "names": [], "mappings": "AAAA" }
-- outside.map --
{ "version": 3, "sources": ["secret.ts"], "names": [], "mappings": "AAAA" }
-- app/link.map.link --
../outside.map
-- app/zero.map.link --
/dev/zero
`
	for _, c := range []struct{ name, ref, want string }{
		{"in the app", "inside.map", "original.ts"},
		{"in the app, escaped", "%69nside.map", "original.ts"},
		{"a data URL", "data:application/json,%7B%22version%22:3,%22sources%22:%5B%22data.ts%22%5D,%22names%22:%5B%5D,%22mappings%22:%22AAAA%22%7D", "data.ts"},
		{"nowhere", "/index.js.map", "a.js"},
		{"of a server", "https://example.com/index.js.map", "a.js"},
		{"in a parent", "../outside.map", "a.js"},
		{"in a parent, escaped", "%2e%2e/outside.map", "a.js"},
		{"in a parent, up to a space of Unicode's", "../outside.map\u00a0", "a.js"},
		{"in a parent, up to a tabulator", "../outside.map\v", "a.js"},
		{"in a parent, behind the end of another comment", "x*/../../outside.map", "a.js"},
		{"in a parent, up to the comment's end", "inside.map\n/*# sourceMappingURL=../outside.map*/", "a.js"},
		{"absolute", "DIR/outside.map", "a.js"},
		{"a file URL", "file://DIR/outside.map", "a.js"},
		{"a link", "link.map", "a.js"},
		{"that never ends", "zero.map", "a.js"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir, o := source(t, strings.TrimPrefix(strings.ReplaceAll(files, "MAP", c.ref), "\n"))
			path := filepath.Join(dir, "app/a.js")
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, bytes.ReplaceAll(text, []byte("DIR"), []byte(dir)), 0o644); err != nil {
				t.Fatal(err)
			}
			b, err := Build(t.Context(), o)
			if err != nil {
				t.Fatal(err)
			}
			m, err := b.Map()
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Contains(m, []byte(c.want)) || bytes.Contains(m, []byte("secret")) {
				t.Errorf("the map is %s, want %s in it", m, c.want)
			}
			if bytes.Count(b.Code, []byte("in-a-string")) != 1 || bytes.Contains(b.Code, []byte("nano:")) {
				t.Errorf("the script is %s", b.Code)
			}
			if len(b.Warnings) > 0 {
				t.Errorf("warnings: %v", b.Warnings)
			}
		})
	}
}
