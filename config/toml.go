package config

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/pelletier/go-toml/v2/unstable"
)

// A tableOrigin says how a TOML document made a table.
type tableOrigin int

const (
	implied tableOrigin = iota // named on the way to another header
	headed                     // by its own [header]
	dotted                     // by a dotted key
	inline                     // { … }
	listed                     // by a [[header]]; the list of such tables has it too
)

// parseTOML reads a document. It goes on after a key that is given twice, and
// stops where the syntax is wrong: complete is then false, and root holds what
// came before.
func parseTOML(data []byte) (root *node, faults []fault, complete bool) {
	data = withoutBOM(data)
	b := &tomlBuilder{lines: newLines(data), root: newTable(position{1, 1})}
	b.current = b.root
	var p unstable.Parser
	p.Reset(data)
	for p.NextExpression() {
		b.add(p.Expression())
	}
	err := p.Error()
	if err == nil {
		return b.root, b.faults, true
	}
	offset := len(data)
	var syntax *unstable.ParserError
	if errors.As(err, &syntax) {
		// The highlight is a part of data, so both end where their array does.
		offset = cap(data) - cap(syntax.Highlight)
	}
	message := err.Error()
	if strings.HasSuffix(message, "at start of value") {
		message += "; a string stands in quotes"
	}
	b.fault(b.lines.at(offset), "not TOML: %s", message)
	return b.root, b.faults, false
}

// tomlBuilder makes a tree of the parser's expressions, which it gives one by
// one and without looking at what the earlier ones said.
type tomlBuilder struct {
	lines   *lines
	root    *node
	current *node // where key = value goes
	faults  []fault
}

func (b *tomlBuilder) fault(at position, format string, args ...any) {
	b.faults = append(b.faults, fault{at, fmt.Sprintf(format, args...)})
}

func (b *tomlBuilder) add(e *unstable.Node) {
	switch e.Kind {
	case unstable.KeyValue:
		b.keyValue(b.current, e, 0)
	case unstable.Table, unstable.ArrayTable:
		b.current = b.header(b.path(e), e.Kind == unstable.ArrayTable)
		if b.current == nil {
			b.current = newTable(position{}) // what follows belongs to no table
		}
	}
}

// path returns the parts of an expression's key, without values.
func (b *tomlBuilder) path(e *unstable.Node) []member {
	var path []member
	for it := e.Key(); it.Next(); {
		k := it.Node()
		path = append(path, member{key: string(k.Data), at: b.lines.at(int(k.Raw.Offset))})
	}
	if len(path) > maxDepth {
		b.fault(path[0].at, "this key has more than %d parts", maxDepth)
		path = nil
	}
	return path
}

// header returns the table that [path] or [[path]] begins, nil if it can't.
func (b *tomlBuilder) header(path []member, inList bool) *node {
	at := b.root
	for i, part := range path {
		last := i == len(path)-1
		found, ok := at.get(part.key)
		switch {
		case !ok && last && inList:
			part.value = &node{kind: list, at: part.at, origin: listed}
			at.set(part)
			return part.value.appendTable(part.at)
		case !ok:
			part.value = newTable(part.at)
			if last {
				part.value.origin = headed
			}
			at.set(part)
			at = part.value
		case last && inList:
			if found.value.origin != listed {
				b.fault(part.at, "%q is given twice, first on line %d; keep one of them", part.key, found.at.line)
				return nil
			}
			return found.value.appendTable(part.at)
		case found.value.kind == list && found.value.origin == listed && !last:
			at = found.value.items[len(found.value.items)-1]
		case found.value.kind != table || found.value.origin == inline,
			last && found.value.origin != implied:
			b.fault(part.at, "%q is given twice, first on line %d; keep one of them", part.key, found.at.line)
			return nil
		default:
			if last {
				found.value.origin = headed
			}
			at = found.value
		}
	}
	if len(path) == 0 {
		return nil
	}
	return at
}

func (n *node) appendTable(at position) *node {
	t := newTable(at)
	t.origin = listed
	n.items = append(n.items, t)
	return t
}

// keyValue puts one key = value into a table.
func (b *tomlBuilder) keyValue(into *node, e *unstable.Node, depth int) {
	path := b.path(e)
	if len(path) == 0 {
		return
	}
	for _, part := range path[:len(path)-1] {
		found, ok := into.get(part.key)
		if !ok {
			part.value = newTable(part.at)
			part.value.origin = dotted
			into.set(part)
			found = part
		}
		if found.value.kind != table || found.value.origin != dotted {
			b.fault(part.at, "%q is given twice, first on line %d; keep one of them", part.key, found.at.line)
			return
		}
		into = found.value
	}
	last := path[len(path)-1]
	if found, ok := into.get(last.key); ok {
		b.fault(last.at, "%q is given twice, first on line %d; keep one of them", last.key, found.at.line)
		return
	}
	last.value = b.value(e.Value(), b.behindKey(e), depth)
	into.set(last)
}

// behindKey returns where the value of key = value begins.
func (b *tomlBuilder) behindKey(e *unstable.Node) position {
	offset := 0
	for it := e.Key(); it.Next(); {
		offset = int(it.Node().Raw.Offset + it.Node().Raw.Length)
	}
	for offset < len(b.lines.data) && strings.IndexByte(" \t=", b.lines.data[offset]) >= 0 {
		offset++
	}
	return b.lines.at(offset)
}

// value makes a node of a value. The parser doesn't say where a list begins: at
// does, for a list in a list where the outer one is.
func (b *tomlBuilder) value(v *unstable.Node, at position, depth int) *node {
	if v.Raw.Length > 0 {
		at = b.lines.at(int(v.Raw.Offset))
	}
	n := &node{kind: other, at: at, value: string(v.Data)}
	if depth > maxDepth {
		b.fault(at, "tables and lists nest deeper than %d", maxDepth)
		return n
	}
	switch v.Kind {
	case unstable.String:
		n.kind = text
	case unstable.Bool:
		n.kind, n.value = boolean, string(v.Data) == "true"
	case unstable.Integer:
		i, err := strconv.ParseInt(string(v.Data), 0, 64)
		if err != nil {
			b.fault(at, "the integer %s does not fit into 64 bits", v.Data)
		}
		n.kind, n.value = integer, i
	case unstable.Float:
		f, err := strconv.ParseFloat(strings.ReplaceAll(string(v.Data), "_", ""), 64)
		if err != nil {
			b.fault(at, "the number %s is too big", v.Data)
		}
		n.kind, n.value = float, f
	case unstable.Array:
		n.kind = list
		for it := v.Children(); it.Next(); {
			n.items = append(n.items, b.value(it.Node(), at, depth+1))
		}
	case unstable.InlineTable:
		n = newTable(at)
		n.origin = inline
		for it := v.Children(); it.Next(); {
			b.keyValue(n, it.Node(), depth+1)
		}
	default:
		n.value = "the date " + string(v.Data)
	}
	return n
}
