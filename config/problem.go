package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// A Problem is one thing that is wrong in a configuration, and where. Line and
// Column count from 1, columns in characters; what concerns a file as a whole
// is said of its beginning.
type Problem struct {
	File    string `json:"file"`
	Line    int    `json:"line"`
	Column  int    `json:"column"`
	Message string `json:"message"` // what is wrong, and what would be right

	// App names the app whose files are at fault (its root, entry, assets,
	// package.json or wrangler file) while what the configuration says is
	// sound. It is empty for every other problem.
	App string `json:"app,omitempty"`
}

func (p Problem) String() string {
	return fmt.Sprintf("%s:%d:%d: %s", p.File, p.Line, p.Column, p.Message)
}

// Problems is all that is wrong in a configuration: the error of this package
// that has positions.
type Problems []Problem

// Error returns one line a problem.
func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

// confined reports whether each problem is of one app's files alone.
func (ps Problems) confined() bool {
	return !slices.ContainsFunc(ps, func(p Problem) bool { return p.App == "" })
}

// sort orders problems as a person reads the files: by file in the order given,
// files that aren't in it last, then by position.
func (ps Problems) sort(files []string) {
	ranks := make(map[string]int, len(files))
	for i, file := range files {
		ranks[file] = i
	}
	rank := func(file string) int {
		if i, ok := ranks[file]; ok {
			return i
		}
		return len(files)
	}
	slices.SortStableFunc(ps, func(a, b Problem) int {
		return cmp.Or(
			cmp.Compare(rank(a.File), rank(b.File)),
			cmp.Compare(a.File, b.File),
			cmp.Compare(a.Line, b.Line),
			cmp.Compare(a.Column, b.Column),
		)
	})
}

// A place is a position in a file.
type place struct {
	file string
	position
}

func (p place) String() string {
	return fmt.Sprintf("%s:%d:%d", p.file, p.line, p.column)
}

// problem makes a Problem at p.
func (p place) problem(format string, args ...any) Problem {
	return Problem{File: p.file, Line: p.line, Column: p.column, Message: fmt.Sprintf(format, args...)}
}
