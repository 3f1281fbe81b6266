package bundle

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/google/go-cmp/cmp"
)

const mapped = `
app src/index.tsx dev
-- app/src/index.tsx --
import { fail } from "./deep/fail"
import { double } from "dep"

type Props = { name: string }
interface Nothing { a: number }

const Müller = "ä €😀", after = "mark1"
console.log("mark2" as string, after)

export default {
	async fetch(): Promise<void> {
		const list: number[] = ["mark3"].map((x: string) => x.length)
		fail<Props>(double(list[0]), "mark4")
	},
}
-- app/src/deep/fail.ts --
export function fail<T>(n: number, s: string): never {
  // a comment
  throw new TypeError("mark5" + n)
}
-- app/node_modules/dep/index.js --
exports.double = (n) => { return n * 2 + "mark6".length - 5 }
`

// Wherever a mark is in the script, the map leads to it in an original file.
func TestOriginal(t *testing.T) {
	for _, dev := range []bool{true, false} {
		_, o := source(t, mapped[1:])
		o.Dev = dev
		b, err := Build(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		found := 0
		for i, text := range strings.Split(string(b.Code), "\n") {
			for _, at := range regexp.MustCompile(`"mark\d"`).FindAllStringIndex(text, -1) {
				found++
				mark := text[at[0]:at[1]]
				column := len(utf16.Encode([]rune(text[:at[0]]))) + 1
				p, ok := b.Original(i+1, column)
				if !ok {
					t.Errorf("dev %v: %s at %d:%d has no original", dev, mark, i+1, column)
					continue
				}
				file, err := os.ReadFile(filepath.Join(o.Root, p.File))
				if err != nil {
					t.Error(err)
					continue
				}
				line := strings.Split(string(file), "\n")[p.Line-1]
				rest := string(utf16.Decode(utf16.Encode([]rune(line))[p.Column-1:]))
				if !strings.HasPrefix(rest, mark) {
					t.Errorf("dev %v: %s leads to %v, where there is %q", dev, mark, p, rest)
				}
				if want := map[bool]string{true: line}[dev]; b.SourceLine(p) != want {
					t.Errorf("dev %v: the source line of %v is %q, want %q", dev, p, b.SourceLine(p), want)
				}
			}
		}
		if found != 6 {
			t.Errorf("dev %v: found %d marks in the script, want 6:\n%s", dev, found, b.Code)
		}
		for _, at := range [][2]int{{0, 1}, {1, 0}, {-1, -1}, {1 << 30, 1}, {bytes.Count(b.Code, []byte("\n")) + 2, 1}} {
			if p, ok := b.Original(at[0], at[1]); ok {
				t.Errorf("dev %v: place %v outside of the script leads to %v", dev, at, p)
			}
		}
	}
}

func TestMapIsStandard(t *testing.T) {
	_, o := source(t, mapped[1:])
	b, err := Build(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	text, err := b.Map()
	if err != nil {
		t.Fatal(err)
	}
	var m struct {
		Version        int
		Sources        []string
		SourcesContent []string
	}
	if err := json.Unmarshal(text, &m); err != nil {
		t.Fatal(err)
	}
	want := []string{"node_modules/dep/index.js", "src/deep/fail.ts", "src/index.tsx"}
	if diff := cmp.Diff(want, m.Sources); m.Version != 3 || diff != "" {
		t.Errorf("version %d, sources (-want +got):\n%s", m.Version, diff)
	}
	if m.SourcesContent[2] == "" {
		t.Error("the map of a Dev bundle has no sourcesContent")
	}
}

// A stack as V8 writes it, from a script that was run.
func TestMapStack(t *testing.T) {
	_, o := source(t, `
. index.ts
-- index.ts --
import { fail } from "./fail"

class Handler {
  async fetch(): Promise<void> {
    await null
    ;[1].forEach((n: number): void => fail(n))
  }
}
await new Handler().fetch()
-- fail.ts --
type T = string | number
export function fail(n: T): never {
  throw new Error("no")
}
`[1:])
	b, err := Build(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	stack, err := runNode(t, append(b.Code, '\n'))
	if err == nil {
		t.Fatal("the script did not fail")
	}
	name := regexp.MustCompile(`file://\S*bundle\.mjs`).FindString(stack)
	if name == "" {
		t.Fatalf("no stack in:\n%s", stack)
	}
	var got []string
	for line := range strings.Lines(b.MapStack(name, stack)) {
		if strings.Contains(line, ".ts:") && strings.Contains(line, "    at ") {
			got = append(got, strings.TrimSpace(line))
		}
	}
	want := []string{
		"at fail (fail.ts:3:9)",
		"at index.ts:6:39",
		"at Handler.fetch (index.ts:6:10)",
		"at async index.ts:9:1",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("frames (-want +got):\n%s\nof\n%s", diff, stack)
	}
}

func TestMapStackLeavesTheRest(t *testing.T) {
	_, o := source(t, mapped[1:])
	b, err := Build(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	const name = "app:///blog.js"
	for _, text := range []string{
		"",
		"Error: no frames",
		"    at f (app:///other.js:1:1)",
		"    at app:///blog.js:999999:1",
		"    at app:///blog.js:0:0",
		"    at app:///blog.js:",
		"    at app:///blog.js:x:1",
		"    at app:///blog.js:99999999999999999999:99999999999999999999",
		"    at native:///nano.js:1:1\n    at async Promise.all (index 0)",
	} {
		if got := b.MapStack(name, text); got != text {
			t.Errorf("%q became %q", text, got)
		}
	}
}

func FuzzMap(f *testing.F) {
	f.Add(`{"version":3,"sources":["a.js"],"names":["n"],"mappings":"AAAA,CAACA;;gBACDC"}`, 1, 1)
	f.Add(`{"version":3,"sources":[],"names":[],"mappings":"A,DDDDD,,;gggggggggggggB"}`, 1, 9)
	f.Add(`{"version":2}`, 0, 0)
	f.Fuzz(func(t *testing.T, text string, line, column int) {
		ix, err := parseMap([]byte(text))
		if err != nil {
			return
		}
		if p, ok := ix.find(line, column); ok && p.File == "" && len(ix.sources) == 0 {
			t.Errorf("%d:%d leads to %v of no source", line, column, p)
		}
	})
}
