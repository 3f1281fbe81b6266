package config

import (
	"bytes"
	"fmt"
	"sort"
	"strconv"
	"unicode/utf8"
)

// maxDepth is how deep tables and lists may nest in TOML and JSON.
const maxDepth = 100

// A node is a value of a TOML or JSON document that remembers where it stands.
type node struct {
	kind  kind
	at    position
	value any // string, int64, float64 or bool; for other: its spelling

	items   []*node        // of a list
	members []member       // of a table, in the order of the document
	index   map[string]int // into members

	// How TOML made the table, which decides what may be added to it.
	origin tableOrigin
}

// A member is a key of a table and its value.
type member struct {
	key   string
	at    position
	value *node
}

type kind int

const (
	table kind = iota
	list
	text
	integer
	float
	boolean
	other // a date of TOML, the null of JSON
)

// A position counts lines and columns from 1, columns in characters.
type position struct{ line, column int }

// A fault is what makes a document no document.
type fault struct {
	at      position
	message string
}

func newTable(at position) *node {
	return &node{kind: table, at: at, index: make(map[string]int)}
}

// get returns a member of a table.
func (n *node) get(key string) (member, bool) {
	i, ok := n.index[key]
	if !ok {
		return member{}, false
	}
	return n.members[i], true
}

// set adds a member to a table, or replaces the one of its key.
func (n *node) set(m member) {
	if i, ok := n.index[m.key]; ok {
		n.members[i] = m
		return
	}
	n.index[m.key] = len(n.members)
	n.members = append(n.members, m)
}

// describe says what a value is, for a message that says what it should be.
func (n *node) describe() string {
	switch n.kind {
	case table:
		return "a table"
	case list:
		return "a list"
	case text:
		return fmt.Sprintf("the string %.60q", n.value)
	case integer:
		return fmt.Sprintf("the integer %d", n.value)
	case float:
		return "the number " + strconv.FormatFloat(n.value.(float64), 'g', -1, 64)
	case boolean:
		return fmt.Sprint(n.value)
	default:
		return fmt.Sprintf("%.60s", n.value)
	}
}

// lines finds the position of an offset into a document.
type lines struct {
	data   []byte
	starts []int // offset of the first byte of each line

	// Where at was last asked for, from which it counts on: else a document on one line
	// takes the square of its length.
	known  position
	offset int
}

func newLines(data []byte) *lines {
	l := &lines{data: data, starts: []int{0}}
	for i, c := range data {
		if c == '\n' {
			l.starts = append(l.starts, i+1)
		}
	}
	return l
}

func (l *lines) at(offset int) position {
	offset = max(0, min(offset, len(l.data)))
	line := sort.SearchInts(l.starts, offset+1) // the first line that begins behind it
	from, column := l.starts[line-1], 1
	if l.known.line == line && l.offset <= offset {
		from, column = l.offset, l.known.column
	}
	l.known, l.offset = position{line, column + utf8.RuneCount(l.data[from:offset])}, offset
	return l.known
}

// withoutBOM cuts off the byte order mark that some editors put first.
func withoutBOM(data []byte) []byte {
	return bytes.TrimPrefix(data, []byte("\ufeff"))
}
