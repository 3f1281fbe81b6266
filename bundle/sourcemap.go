package bundle

import (
	"bytes"
	"compress/flate"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"sort"
	"strconv"
	"strings"
	"sync"
	"weak"
)

// A Position is a place in an original file.
type Position struct {
	File         string // relative to the app's folder, with slashes
	Line, Column int    // from 1, the column in UTF-16 units as V8 counts
	Name         string // what the place is called there, if the bundle calls it otherwise
}

// Original returns where a place of Code, in V8's counting from 1, comes from.
func (b *Bundle) Original(line, column int) (Position, bool) {
	ix, err := b.sourceMap.index()
	if err != nil {
		return Position{}, false
	}
	return ix.find(line, column)
}

// MapStack replaces each place in the script called name (app:///blog.js:12:34)
// of a stack trace, or of another text by V8, by its original one.
func (b *Bundle) MapStack(name, stack string) string {
	var sb strings.Builder
	for {
		i := strings.Index(stack, name+":")
		if i < 0 {
			sb.WriteString(stack)
			return sb.String()
		}
		end := i + len(name)
		line, n := number(stack[end:])
		column, m := number(stack[end+n:])
		pos, ok := Position{}, false
		switch {
		case n > 0 && m > 0:
			pos, ok = b.Original(line, column)
			end += n + m
		case n > 0: // V8 names the line only when a script doesn't compile
			pos, ok = b.Original(line, 1)
			end += n
		}
		if ok {
			sb.WriteString(stack[:i])
			fmt.Fprintf(&sb, "%s:%d", pos.File, pos.Line)
			if m > 0 {
				fmt.Fprintf(&sb, ":%d", pos.Column)
			}
		} else {
			end = max(end, i+len(name)+1)
			sb.WriteString(stack[:end])
		}
		stack = stack[end:]
	}
}

// number reads ":123" from the start of s, and how long that is.
func number(s string) (value, length int) {
	if s == "" || s[0] != ':' {
		return 0, 0
	}
	end := 1
	for end < len(s) && end < 10 && s[end] >= '0' && s[end] <= '9' {
		end++
	}
	value, err := strconv.Atoi(s[1:end])
	if err != nil {
		return 0, 0
	}
	return value, end
}

// SourceLine returns a line of an original file. Only a Dev bundle has them:
// else it is "".
func (b *Bundle) SourceLine(p Position) string {
	text, err := b.sourceMap.text()
	if err != nil {
		return ""
	}
	var m struct {
		Sources        []string `json:"sources"`
		SourcesContent []string `json:"sourcesContent"`
	}
	if json.Unmarshal(text, &m) != nil {
		return ""
	}
	i := slices.Index(m.Sources, p.File)
	if i < 0 || i >= len(m.SourcesContent) {
		return ""
	}
	rest := m.SourcesContent[i]
	for range p.Line - 1 {
		_, after, ok := strings.Cut(rest, "\n")
		if !ok {
			return ""
		}
		rest = after
	}
	line, _, _ := strings.Cut(rest, "\n")
	return strings.TrimSuffix(line, "\r")
}

// Map returns the source map of Code: version 3 as JSON, its sources relative
// to the app's folder, and with their content in a Dev bundle.
func (b *Bundle) Map() ([]byte, error) {
	return b.sourceMap.text()
}

// A sourceMap is kept compressed, for a map is several times as large as its
// script and most are never asked for. What is made of it to answer is kept
// for as long as the garbage collector lets it.
type sourceMap struct {
	deflated []byte

	mu    sync.Mutex // guards the field below
	cache weak.Pointer[index]
}

func deflate(text []byte) ([]byte, error) {
	var buf bytes.Buffer
	w, err := flate.NewWriter(&buf, flate.BestSpeed)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(text); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return buf.Bytes(), nil
}

func (s *sourceMap) text() ([]byte, error) {
	return io.ReadAll(flate.NewReader(bytes.NewReader(s.deflated)))
}

func (s *sourceMap) index() (*index, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if ix := s.cache.Value(); ix != nil {
		return ix, nil
	}
	text, err := s.text()
	if err != nil {
		return nil, err
	}
	ix, err := parseMap(text)
	if err != nil {
		return nil, err
	}
	s.cache = weak.Make(ix)
	return ix, nil
}

// An index answers where places come from.
type index struct {
	sources, names []string
	segments       []segment
	lines          []int // where each line's segments start; one more than there are lines
}

// A segment is a stretch of a line with one origin. All numbers are from 0,
// and -1 is none.
type segment struct {
	column                     int32
	source, line, from, nameID int32
}

func parseMap(text []byte) (*index, error) {
	var m struct {
		Version  int      `json:"version"`
		Sources  []string `json:"sources"`
		Names    []string `json:"names"`
		Mappings string   `json:"mappings"`
	}
	if err := json.Unmarshal(text, &m); err != nil {
		return nil, fmt.Errorf("cannot read a source map: %w", err)
	}
	if m.Version != 3 {
		return nil, fmt.Errorf("cannot read a source map of version %d", m.Version)
	}
	ix := &index{
		sources:  m.Sources,
		names:    m.Names,
		segments: make([]segment, 0, strings.Count(m.Mappings, ",")+strings.Count(m.Mappings, ";")+1),
	}
	var at segment // the running sums; nameID and source outlive segments without them
	for line := range strings.SplitSeq(m.Mappings, ";") {
		ix.lines = append(ix.lines, len(ix.segments))
		at.column = 0
		for text := range strings.SplitSeq(line, ",") {
			if text == "" {
				continue
			}
			seg, err := at.add(text)
			if err != nil {
				return nil, err
			}
			ix.segments = append(ix.segments, seg)
		}
	}
	ix.lines = append(ix.lines, len(ix.segments))
	return ix, nil
}

// add adds the differences in text to at, and returns the segment they make.
func (at *segment) add(text string) (segment, error) {
	fields := [...]*int32{&at.column, &at.source, &at.line, &at.from, &at.nameID}
	n := 0
	for ; text != "" && n < len(fields); n++ {
		d, rest, err := vlq(text)
		if err != nil {
			return segment{}, err
		}
		*fields[n] += d
		text = rest
	}
	seg := *at
	if n < 4 {
		seg.source = -1
	}
	if n < 5 {
		seg.nameID = -1
	}
	return seg, nil
}

var errVLQ = errors.New("cannot read a source map: its mappings are damaged")

const base64Digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

// vlq reads one number: base-64 digits of five bits, the least significant
// first, a sixth bit on all but the last, and the sign in the lowest bit.
func vlq(s string) (value int32, rest string, err error) {
	var u uint32
	for i := 0; i < len(s) && i < 7; i++ {
		d := strings.IndexByte(base64Digits, s[i])
		if d < 0 {
			break
		}
		u |= uint32(d&31) << (5 * i)
		if d&32 == 0 {
			value = int32(u >> 1)
			if u&1 != 0 {
				value = -value
			}
			return value, s[i+1:], nil
		}
	}
	return 0, "", errVLQ
}

func (ix *index) find(line, column int) (Position, bool) {
	if line < 1 || line >= len(ix.lines) {
		return Position{}, false
	}
	segs := ix.segments[ix.lines[line-1]:ix.lines[line]]
	i := sort.Search(len(segs), func(i int) bool { return int(segs[i].column) >= column })
	if i == 0 {
		return Position{}, false
	}
	seg := segs[i-1]
	if seg.source < 0 || int(seg.source) >= len(ix.sources) {
		return Position{}, false
	}
	p := Position{File: ix.sources[seg.source], Line: int(seg.line) + 1, Column: int(seg.from) + 1}
	if seg.nameID >= 0 && int(seg.nameID) < len(ix.names) {
		p.Name = ix.names[seg.nameID]
	}
	return p, true
}
