package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"unicode/utf8"
)

// parseJSON reads a JSON document of one value. root is nil if the syntax is
// wrong; a key that is given twice is a fault that leaves the rest sound.
func parseJSON(data []byte) (root *node, faults []fault) {
	data = withoutBOM(data)
	b := &jsonBuilder{data: data, lines: newLines(data), dec: json.NewDecoder(bytes.NewReader(data))}
	b.dec.UseNumber()
	if !utf8.Valid(data) {
		return nil, []fault{{position{1, 1}, "not JSON: it is not UTF-8"}}
	}
	// Only here does the package say exactly where the syntax is wrong.
	var whole json.RawMessage
	var syntax *json.SyntaxError
	if err := json.Unmarshal(data, &whole); errors.As(err, &syntax) {
		return nil, []fault{{b.lines.at(int(syntax.Offset) - 1), "not JSON: " + syntax.Error()}}
	}
	root, err := b.value(0)
	if err != nil {
		return nil, append(b.faults, fault{b.lines.at(b.next()), "not JSON: " + err.Error()})
	}
	return root, b.faults
}

// parseJSONC is parseJSON for documents with comments and trailing commas.
func parseJSONC(data []byte) (root *node, faults []fault) {
	return parseJSON(blankComments(data))
}

type jsonBuilder struct {
	data   []byte
	lines  *lines
	dec    *json.Decoder
	faults []fault
}

// next returns the offset of the token that the decoder will read next.
func (b *jsonBuilder) next() int {
	i := int(b.dec.InputOffset())
	for i < len(b.data) && bytes.IndexByte([]byte(" \t\r\n,:"), b.data[i]) >= 0 {
		i++
	}
	return i
}

func (b *jsonBuilder) value(depth int) (*node, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("objects and arrays nest deeper than %d", maxDepth)
	}
	at := b.lines.at(b.next())
	token, err := b.dec.Token()
	if err != nil {
		return nil, err
	}
	switch t := token.(type) {
	case json.Delim:
		if t == '{' {
			return b.object(at, depth)
		}
		return b.array(at, depth)
	case string:
		return &node{kind: text, at: at, value: t}, nil
	case bool:
		return &node{kind: boolean, at: at, value: t}, nil
	case json.Number:
		if i, err := strconv.ParseInt(t.String(), 10, 64); err == nil {
			return &node{kind: integer, at: at, value: i}, nil
		}
		f, err := strconv.ParseFloat(t.String(), 64)
		if err != nil {
			b.faults = append(b.faults, fault{at, "the number " + t.String() + " is too big"})
		}
		return &node{kind: float, at: at, value: f}, nil
	default:
		return &node{kind: other, at: at, value: "null"}, nil
	}
}

func (b *jsonBuilder) object(at position, depth int) (*node, error) {
	n := newTable(at)
	for b.dec.More() {
		m := member{at: b.lines.at(b.next())}
		token, err := b.dec.Token()
		if err != nil {
			return nil, err
		}
		m.key = token.(string) // the decoder lets nothing else be a key
		if m.value, err = b.value(depth + 1); err != nil {
			return nil, err
		}
		if first, ok := n.get(m.key); ok {
			b.faults = append(b.faults, fault{m.at, fmt.Sprintf("%q is given twice, first on line %d; keep one of them", m.key, first.at.line)})
			continue
		}
		n.set(m)
	}
	_, err := b.dec.Token()
	return n, err
}

func (b *jsonBuilder) array(at position, depth int) (*node, error) {
	n := &node{kind: list, at: at}
	for b.dec.More() {
		item, err := b.value(depth + 1)
		if err != nil {
			return nil, err
		}
		n.items = append(n.items, item)
	}
	_, err := b.dec.Token()
	return n, err
}

// blankComments returns a copy of data with spaces in place of comments and
// trailing commas, so that offsets stay what they are.
func blankComments(data []byte) []byte {
	data = bytes.Clone(data)
	comma := -1       // offset of a comma that nothing but white space has followed
	before := byte(0) // the last byte that is neither white space nor comment
	for i := 0; i < len(data); i++ {
		switch c := data[i]; {
		case c == '"':
			comma, before = -1, c
			for i++; i < len(data) && data[i] != '"'; i++ {
				if data[i] == '\\' {
					i++
				}
			}
		case c == '/' && i+1 < len(data) && (data[i+1] == '/' || data[i+1] == '*'):
			end := []byte("\n")
			if data[i+1] == '*' {
				end = []byte("*/")
			}
			stop := len(data)
			if n := bytes.Index(data[i+2:], end); n >= 0 {
				stop = i + 2 + n + len(end)
			}
			for ; i < stop; i++ {
				if data[i] != '\n' {
					data[i] = ' '
				}
			}
			i--
		case c == ',':
			if bytes.IndexByte([]byte("\x00[{:,"), before) < 0 {
				comma = i
			}
			before = c
		case (c == ']' || c == '}') && comma >= 0:
			data[comma] = ' '
			comma, before = -1, c
		case c != ' ' && c != '\t' && c != '\r' && c != '\n':
			comma, before = -1, c
		}
	}
	return data
}
