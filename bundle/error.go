package bundle

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/evanw/esbuild/pkg/api"
)

// An Error says why an app can't be bundled: all that is wrong, in the
// positions of the original files.
type Error struct {
	Messages []Message
	Inputs   []string // as in Bundle: a change to one of them may mend it
}

// A Message is one thing that is wrong.
type Message struct {
	File         string // absolute; empty if no file is at fault
	Line, Column int    // from 1, the column in characters; 0: the file as a whole
	Text         string
	SourceLine   string // the line, or the part around the column if it is a long one
	Notes        []string

	indent string // as wide as what is left of the column in SourceLine
	width  int    // of what is wrong in SourceLine, in characters
}

// Error is every message with its source line and a caret under the place.
func (e *Error) Error() string {
	var sb strings.Builder
	for i, m := range e.Messages {
		if i > 0 {
			sb.WriteByte('\n')
		}
		sb.WriteString(m.String())
	}
	return sb.String()
}

// String is the message as file:line:column: text, then its excerpt and notes.
func (m Message) String() string {
	var sb strings.Builder
	sb.WriteString(place(m.File, m.Line, m.Column))
	sb.WriteString(m.Text)
	if ex := m.Excerpt(); ex != "" {
		sb.WriteString("\n" + ex)
	}
	for _, n := range m.Notes {
		sb.WriteString("\n    " + n)
	}
	return sb.String()
}

func place(file string, line, column int) string {
	switch {
	case file == "":
		return ""
	case line == 0:
		return file + ": "
	}
	return fmt.Sprintf("%s:%d:%d: ", file, line, column)
}

// Excerpt is the source line with a caret line under it, both indented; empty
// when there is no source line.
func (m Message) Excerpt() string {
	if m.SourceLine == "" {
		return ""
	}
	caret := "^"
	if m.width > 1 {
		caret += strings.Repeat("~", m.width-1)
	}
	return "    " + m.SourceLine + "\n    " + m.indent + caret
}

// messages translates esbuild's messages, whose files are relative to root.
func messages(root string, f *fence, from []api.Message) []Message {
	var deps map[string]bool
	var list []Message
	for _, a := range from {
		m := Message{Text: a.Text}
		if path, ok := unresolved(a); ok {
			if deps == nil {
				deps = dependencies(root)
			}
			m.Text = notFound(root, path, a.Notes, deps)
		} else if match := noLoader.FindStringSubmatch(a.Text); match != nil {
			m.Text = fmt.Sprintf("cannot import %s files; as text or bytes they can be: with { type: \"text\" } or \"bytes\"", match[1])
		}
		if l := a.Location; l != nil {
			m.locate(root, f, l)
		}
		for _, n := range a.Notes {
			// Notes without a place are advice on esbuild's own options.
			if n.Location != nil {
				note := Message{Text: n.Text}
				note.locate(root, f, n.Location)
				m.Notes = append(m.Notes, place(note.File, note.Line, note.Column)+note.Text)
			}
		}
		list = append(list, m)
	}
	return list
}

// maxExcerpt is the length in bytes from which a source line is cut.
const maxExcerpt = 160

// locate fills in what is known of the place.
func (m *Message) locate(root string, f *fence, l *api.Location) {
	m.File, m.Line = l.File, l.Line
	text, column := l.LineText, min(l.Column, len(l.LineText))
	m.Column = utf8.RuneCountInString(text[:column]) + 1
	if strings.HasPrefix(l.File, providedNamespace+":") || strings.HasPrefix(l.File, standInNamespace+":") {
		return // one of NANO's own modules, which are right
	}
	m.File = filepath.Join(root, l.File)
	if real, err := filepath.EvalSymlinks(m.File); err != nil || !f.allows(real) {
		// A tsconfig.json can extend any file, whose text is not for showing.
		m.Text = "is outside of the app's folder, and can't be read as what it should be"
		return
	}
	if len(text) > maxExcerpt {
		start := max(0, column-maxExcerpt/2)
		for start > 0 && start < column && !utf8.RuneStart(text[start]) {
			start++
		}
		end := min(len(text), start+maxExcerpt)
		for end < len(text) && !utf8.RuneStart(text[end]) {
			end++
		}
		text, column = text[start:end], column-start
	}
	m.SourceLine = strings.TrimRight(text, "\r\n")
	column = min(column, len(m.SourceLine))
	m.indent = strings.Map(func(r rune) rune {
		if r == '\t' {
			return r
		}
		return ' '
	}, m.SourceLine[:column])
	m.width = utf8.RuneCountInString(m.SourceLine[column:min(len(m.SourceLine), column+l.Length)])
}

var noLoader = regexp.MustCompile(`^No loader is configured for ("(?:[^"\\]|\\.)*") files`)

var couldNotResolve = regexp.MustCompile(`^Could not resolve ("(?:[^"\\]|\\.)*")`)

// unresolved returns the import path that esbuild found nothing for.
func unresolved(m api.Message) (path string, ok bool) {
	match := couldNotResolve.FindStringSubmatch(m.Text)
	if match == nil {
		return "", false
	}
	path, err := strconv.Unquote(match[1])
	return path, err == nil
}

// notFound says what an import that leads nowhere needs.
func notFound(root, path string, notes []api.Note, deps map[string]bool) string {
	if strings.HasPrefix(path, ".") || strings.HasPrefix(path, "/") {
		return fmt.Sprintf("cannot find %q", path)
	}
	parts := strings.SplitN(path, "/", 3)
	pkg := parts[0]
	if strings.HasPrefix(pkg, "@") && len(parts) > 1 {
		pkg += "/" + parts[1]
	}
	for _, n := range notes {
		if n.Location != nil && filepath.Base(n.Location.File) == "package.json" {
			return fmt.Sprintf("package %q has no %q to import", pkg, path)
		}
	}
	for dir := root; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "node_modules", pkg)); err == nil {
			return fmt.Sprintf("package %q has no %q to import", pkg, path)
		}
		if dir == filepath.Dir(dir) {
			break
		}
	}
	if deps[pkg] {
		return fmt.Sprintf(`cannot find package %q: run "npm install" in %s`, pkg, root)
	}
	return fmt.Sprintf(`cannot find package %q: run "npm install %s" in %s`, pkg, pkg, root)
}
