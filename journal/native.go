package journal

import (
	"context"
	"encoding/binary"
	"log/slog"
	"runtime"
	"strconv"
	"strings"
	"sync"
)

// nativeHandler gives a line the form of journald's protocol: fields, one
// after the other, whose names are in capitals.
type nativeHandler struct {
	out     *queue
	level   slog.Leveler
	version string
	bound
}

func (h *nativeHandler) Enabled(_ context.Context, l slog.Level) bool {
	return l >= h.level.Level()
}

func (h *nativeHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	c := *h
	c.bound = h.with(attrs)
	return &c
}

func (h *nativeHandler) WithGroup(name string) slog.Handler {
	c := *h
	c.bound = h.group(name)
	return &c
}

var buffers = sync.Pool{New: func() any { return new([]byte) }}

func (h *nativeHandler) Handle(_ context.Context, r slog.Record) error {
	p := buffers.Get().(*[]byte)
	defer buffers.Put(p)
	b := appendField((*p)[:0], "MESSAGE", r.Message)
	b = appendField(b, "PRIORITY", priority(r.Level))
	b = appendField(b, "SYSLOG_IDENTIFIER", "nano")
	if h.version != "" {
		b = appendField(b, "NANO_VERSION", h.version)
	}
	console := false
	h.each(r, func(key string, v slog.Value) {
		text := v.String()
		switch {
		case key == "console":
			console = true
		case key == "request_id" && text == "":
			return
		}
		if name := fieldName(key); name != "" {
			b = appendField(b, name, text)
		}
	})
	if r.PC != 0 && !console { // an app's line doesn't come from our code
		frame, _ := runtime.CallersFrames([]uintptr{r.PC}).Next()
		b = appendField(b, "CODE_FILE", frame.File)
		b = appendField(b, "CODE_LINE", strconv.Itoa(frame.Line))
		b = appendField(b, "CODE_FUNC", frame.Function)
	}
	h.out.Write(b)
	if cap(b) <= maxText {
		*p = b
	}
	return nil
}

// priority is the level in syslog's numbers.
func priority(l slog.Level) string {
	switch {
	case l < slog.LevelInfo:
		return "7" // debug
	case l <= slog.LevelInfo:
		return "6" // info
	case l < slog.LevelWarn:
		return "5" // notice
	case l < slog.LevelError:
		return "4" // warning
	case l < slog.LevelError+4:
		return "3" // error
	}
	return "2" // critical
}

// maxFieldName is the length that journald allows.
const maxFieldName = 64

// fieldName is an attribute's name in the journal; "" for one that has none.
func fieldName(key string) string {
	var sb strings.Builder
	sb.WriteString("NANO_")
	for _, c := range []byte(key) {
		switch {
		case c >= 'a' && c <= 'z':
			c -= 'a' - 'A'
		case c >= 'A' && c <= 'Z' || c >= '0' && c <= '9':
		default:
			c = '_'
		}
		sb.WriteByte(c)
		if sb.Len() == maxFieldName {
			break
		}
	}
	if key == "" {
		return ""
	}
	return sb.String()
}

func appendField(b []byte, name, value string) []byte {
	b = append(b, name...)
	if strings.IndexByte(value, '\n') < 0 {
		b = append(b, '=')
	} else {
		b = append(b, '\n')
		b = binary.LittleEndian.AppendUint64(b, uint64(len(value)))
	}
	b = append(b, value...)
	return append(b, '\n')
}
