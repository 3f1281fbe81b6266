package config

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// A setting is a value that a file gives, and where. One that is there but
// has a problem has a place and isn't given.
type setting[T any] struct {
	value T
	at    place
	given bool
}

// absent reports whether no file has the key.
func (s setting[T]) absent() bool { return s.at == place{} }

// or returns the setting if it is given, else the other one.
func (s setting[T]) or(other setting[T]) setting[T] {
	if s.given {
		return s
	}
	return other
}

// orValue returns the value if it is given, else a built-in one.
func (s setting[T]) orValue(builtin T) T {
	if s.given {
		return s.value
	}
	return builtin
}

// A decoder turns the nodes of one file into settings, and collects what is
// wrong with them.
type decoder struct {
	file     string
	problems Problems
}

func (d *decoder) place(at position) place { return place{d.file, at} }

func (d *decoder) problem(at position, format string, args ...any) {
	d.problems = append(d.problems, d.place(at).problem(format, args...))
}

// faults turns what a parser found into problems.
func (d *decoder) faults(faults []fault) {
	for _, f := range faults {
		d.problem(f.at, "%s", f.message)
	}
}

// table returns the members of a table; where says which table it should be,
// and example what one looks like.
func (d *decoder) table(n *node, what, example string) []member {
	if n.kind != table {
		d.problem(n.at, "%s is %s; write a table, such as %s", what, n.describe(), example)
		return nil
	}
	return n.members
}

func (d *decoder) list(n *node, key, example string) []*node {
	if n.kind != list {
		d.problem(n.at, "%s is %s; write a list, such as %s", key, n.describe(), example)
		return nil
	}
	return n.items
}

// scalar returns the value of a node of a kind.
func scalar[T any](d *decoder, n *node, want kind, key, example string) setting[T] {
	if n.kind != want {
		d.problem(n.at, "%s is %s; write %s", key, n.describe(), example)
		return setting[T]{at: d.place(n.at)}
	}
	return setting[T]{n.value.(T), d.place(n.at), true}
}

// parsed returns what parse makes of a string.
func parsed[T any](d *decoder, n *node, key, example string, parse func(string) (T, error)) setting[T] {
	s := scalar[string](d, n, text, key, example)
	if !s.given {
		return setting[T]{at: d.place(n.at)}
	}
	value, err := parse(s.value)
	if err != nil {
		d.problem(n.at, "%s = %.60q: %v", key, s.value, err)
		return setting[T]{at: d.place(n.at)}
	}
	return setting[T]{value, s.at, true}
}

func (d *decoder) text(n *node, key, example string) setting[string] {
	return parsed(d, n, key, "a string such as "+example, func(s string) (string, error) {
		switch {
		case s == "":
			return "", fmt.Errorf("it is empty; write a string such as %s, or leave the line out", example)
		case strings.ContainsRune(s, 0):
			return "", fmt.Errorf("a NUL can't be in it")
		}
		return s, nil
	})
}

func (d *decoder) boolean(n *node, key string) setting[bool] {
	return scalar[bool](d, n, boolean, key, "true or false, without quotes")
}

// count returns an integer between low and high.
func (d *decoder) count(n *node, key string, low, high int64) setting[int] {
	s := scalar[int64](d, n, integer, key, fmt.Sprintf("an integer from %d to %d", low, high))
	if s.given && (s.value < low || s.value > high) {
		d.problem(n.at, "%s = %d is out of range; write an integer from %d to %d", key, s.value, low, high)
		return setting[int]{at: s.at}
	}
	return setting[int]{int(s.value), s.at, s.given}
}

// size returns a number of bytes between low and high.
func (d *decoder) size(n *node, key string, low, high int64) setting[int64] {
	if i, ok := n.value.(int64); ok && i > 0 {
		example := formatSize(i)
		if i < 1<<20 {
			example = fmt.Sprint(i, "MiB") // nobody counts in bytes so few
		}
		d.problem(n.at, "%s = %d has no unit; write it as a string, such as %q", key, i, example)
		return setting[int64]{at: d.place(n.at)}
	}
	s := parsed(d, n, key, `a size such as "128MiB"`, parseSize)
	if s.given && (s.value < low || s.value > high) {
		d.problem(n.at, "%s = %q is out of range; write a size from %s to %s", key, formatSize(s.value), formatSize(low), formatSize(high))
		return setting[int64]{at: d.place(n.at)}
	}
	return s
}

// duration returns a duration between low and high.
func (d *decoder) duration(n *node, key, example string, low, high time.Duration) setting[time.Duration] {
	if n.kind == integer || n.kind == float {
		d.problem(n.at, "%s = %v has no unit; write it as a string, such as %q", key, n.value, example)
		return setting[time.Duration]{at: d.place(n.at)}
	}
	s := parsed(d, n, key, fmt.Sprintf("a duration such as %q", example), parseDuration)
	if s.given && (s.value < low || s.value > high) {
		d.problem(n.at, "%s = %q is out of range; write a duration from %s to %s", key, formatDuration(s.value), formatDuration(low), formatDuration(high))
		return setting[time.Duration]{at: d.place(n.at)}
	}
	return s
}

// choice returns one of the words that a key takes.
func (d *decoder) choice(n *node, key string, words ...string) setting[string] {
	quoted := make([]string, len(words))
	for i, w := range words {
		quoted[i] = fmt.Sprintf("%q", w)
	}
	all := strings.Join(quoted[:len(quoted)-1], ", ") + " or " + quoted[len(quoted)-1]
	return parsed(d, n, key, all, func(s string) (string, error) {
		if slices.Contains(words, s) {
			return s, nil
		}
		if near := nearest(s, words); near != "" {
			return "", fmt.Errorf("there is no such choice; did you mean %q?", near)
		}
		return "", fmt.Errorf("there is no such choice; write %s", all)
	})
}

// unknown reports a key that a table doesn't take. elsewhere says for keys of
// other tables where they belong.
func (d *decoder) unknown(m member, where string, known []string, elsewhere map[string]string) {
	if near := nearest(m.key, known); near != "" {
		d.problem(m.at, "unknown key %q in %s; did you mean %q?", m.key, where, near)
	} else if right, ok := elsewhere[m.key]; ok {
		d.problem(m.at, "unknown key %q in %s; %s", m.key, where, right)
	} else {
		d.problem(m.at, "unknown key %.60q in %s; it takes %s", m.key, where, strings.Join(known, ", "))
	}
}

// nearest returns the known word that s was probably meant to be, or "".
func nearest(s string, known []string) string {
	fold := strings.NewReplacer("-", "", "_", "", " ", "")
	best, least := "", max(1, len(s)/3)
	for _, word := range known {
		if strings.EqualFold(fold.Replace(word), fold.Replace(s)) {
			return word
		}
		if n := distance(strings.ToLower(s), word, least); n <= least && n < len(word) && (best == "" || n < least) {
			best, least = word, n
		}
	}
	return best
}

// distance counts the letters to be added, left out, replaced or swapped with
// the next one to turn a into b. It may stop at limit+1.
func distance(a, b string, limit int) int {
	if d := len(a) - len(b); d > limit || -d > limit {
		return limit + 1
	}
	before, above := make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range above {
		above[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row := make([]int, len(b)+1)
		row[0] = i
		for j := 1; j <= len(b); j++ {
			same := 1
			if a[i-1] == b[j-1] {
				same = 0
			}
			row[j] = min(above[j]+1, row[j-1]+1, above[j-1]+same)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, above = above, row
	}
	return above[len(b)]
}
