package journal

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// newJSONHandler writes slog's usual lines, with durations in seconds.
func newJSONHandler(out io.Writer, o Options) slog.Handler {
	h := slog.Handler(slog.NewJSONHandler(out, &slog.HandlerOptions{
		Level: o.Level,
		ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Value.Kind() == slog.KindDuration {
				a.Value = slog.Float64Value(a.Value.Duration().Seconds())
			}
			return a
		},
	}))
	if o.Version != "" {
		h = h.WithAttrs([]slog.Attr{slog.String("version", o.Version)})
	}
	return h
}

// A style is how text is set: with colours and the time of day alone where a
// person watches, plainly in a file.
type style struct {
	clock                                           string
	dim, debug, info, warn, err, bold, appName, end string
}

func styleFor(w io.Writer) style {
	if !isTerminal(w) {
		return style{clock: "2006-01-02T15:04:05.000Z07:00"}
	}
	s := style{clock: "15:04:05.000"}
	if os.Getenv("NO_COLOR") != "" || os.Getenv("TERM") == "dumb" {
		return s
	}
	s.dim, s.bold, s.end = "\x1b[2m", "\x1b[1m", "\x1b[0m"
	s.debug, s.info, s.warn, s.err, s.appName = "\x1b[2m", "\x1b[32m", "\x1b[33m", "\x1b[31m", "\x1b[36m"
	return s
}

// textHandler writes a line as: time LEVEL app: message key=value. Further
// lines of a message are indented, so that no text can pass for a line.
type textHandler struct {
	out   io.Writer
	level slog.Leveler
	style style
	bound
}

func (h *textHandler) Enabled(_ context.Context, l slog.Level) bool {
	return l >= h.level.Level()
}

func (h *textHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	c := *h
	c.bound = h.with(attrs)
	return &c
}

func (h *textHandler) WithGroup(name string) slog.Handler {
	c := *h
	c.bound = h.group(name)
	return &c
}

func (h *textHandler) Handle(_ context.Context, r slog.Record) error {
	s := &h.style
	var app string
	var console bool
	var rest strings.Builder
	h.each(r, func(key string, v slog.Value) {
		switch {
		case key == "app":
			app = v.String()
			return
		case key == "console":
			console = true
			return
		case key == "request_id" && v.String() == "":
			return
		}
		text := v.String()
		if v.Kind() == slog.KindDuration {
			text = v.Duration().Round(10 * time.Microsecond).String()
		}
		fmt.Fprintf(&rest, " %s%s=%s%s", s.dim, Printable(key), s.end, quoted(text))
	})

	var sb strings.Builder
	sb.WriteString(s.dim + r.Time.Format(s.clock) + s.end + " ")
	sb.WriteString(h.levelName(r.Level) + " ")
	if app != "" {
		sb.WriteString(s.appName + Printable(app) + s.end + ": ")
	}
	message := strings.TrimRight(r.Message, "\n")
	if console && s.end != "" {
		message = printableColours(message) + s.end // an app may colour its own lines
	} else {
		message = Printable(message)
	}
	first, more, isLong := strings.Cut(strings.ReplaceAll(message, "\n", "\n    "), "\n")
	if !console {
		first = s.bold + first + s.end
	}
	sb.WriteString(first + rest.String())
	if isLong {
		sb.WriteString("\n" + more)
	}
	sb.WriteByte('\n')
	_, err := io.WriteString(h.out, sb.String())
	return err
}

func (h *textHandler) levelName(l slog.Level) string {
	s := &h.style
	switch {
	case l < slog.LevelInfo:
		return s.debug + "DEBUG" + s.end
	case l < slog.LevelWarn:
		return s.info + "INFO " + s.end
	case l < slog.LevelError:
		return s.warn + "WARN " + s.end
	}
	return s.err + "ERROR" + s.end
}

// quoted is a value that can be told from its neighbours.
func quoted(text string) string {
	if text != "" && !strings.ContainsFunc(text, func(r rune) bool {
		return r <= ' ' || r == '"' || r == '=' || !unicode.IsPrint(r)
	}) {
		return text
	}
	return strconv.Quote(text)
}

// Printable shows control characters instead of obeying them: what an app
// writes mustn't drive the operator's terminal.
func Printable(text string) string {
	hidden := func(r rune) bool { return r != '\n' && r != '\t' && !unicode.IsPrint(r) }
	if strings.IndexFunc(text, hidden) < 0 {
		return text
	}
	var sb strings.Builder
	for _, r := range text {
		if hidden(r) {
			quoted := strconv.QuoteRune(r)
			sb.WriteString(quoted[1 : len(quoted)-1])
		} else {
			sb.WriteRune(r)
		}
	}
	return sb.String()
}

var colours = regexp.MustCompile("\x1b\\[[0-9;]*m")

// printableColours is Printable, but for the sequences that only choose colours.
func printableColours(text string) string {
	var sb strings.Builder
	start := 0
	for _, at := range colours.FindAllStringIndex(text, -1) {
		sb.WriteString(Printable(text[start:at[0]]) + text[at[0]:at[1]])
		start = at[1]
	}
	return sb.String() + Printable(text[start:])
}
