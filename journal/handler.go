package journal

import (
	"context"
	"log/slog"
	"strings"
)

// handler looks at every line on its way to the handler that gives it its form.
type handler struct {
	journal *Journal
	inner   slog.Handler
	bound
}

func (h *handler) Enabled(ctx context.Context, l slog.Level) bool {
	return h.inner.Enabled(ctx, l)
}

func (h *handler) Handle(ctx context.Context, r slog.Record) error {
	line := Line{Time: r.Time, Level: r.Level, Text: clip(r.Message)}
	if line.Text != r.Message {
		short := slog.NewRecord(r.Time, r.Level, line.Text, r.PC)
		r.Attrs(func(a slog.Attr) bool {
			short.AddAttrs(a)
			return true
		})
		r = short
	}
	var app string
	var console bool
	var detail strings.Builder
	h.each(r, func(key string, v slog.Value) {
		switch key {
		case "app":
			app = v.String()
		case "request_id":
			line.RequestID = v.String()
		case "console":
			console = v.Kind() == slog.KindBool && v.Bool()
		default:
			if detail.Len() > 0 {
				detail.WriteByte(' ')
			}
			detail.WriteString(key + "=" + quoted(v.String()))
		}
	})
	if console && !h.journal.limiter.Allow(app, len(r.Message)) {
		return nil
	}
	if app != "" {
		line.Detail = detail.String()
		h.journal.ring(app).add(line)
	}
	return h.inner.Handle(ctx, r)
}

func (h *handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &handler{h.journal, h.inner.WithAttrs(attrs), h.with(attrs)}
}

func (h *handler) WithGroup(name string) slog.Handler {
	if name == "" {
		return h
	}
	return &handler{h.journal, h.inner.WithGroup(name), h.group(name)}
}

// maxText is the length in bytes of the longest text of a line.
const maxText = 256 << 10

func clip(text string) string {
	if len(text) <= maxText {
		return text
	}
	return strings.ToValidUTF8(text[:maxText], "") + "… (cut)"
}

// bound is what With and WithGroup have made of a handler: attributes by
// their whole keys, the groups joined by dots.
type bound struct {
	attrs  []slog.Attr
	prefix string
}

func (b bound) with(attrs []slog.Attr) bound {
	all := make([]slog.Attr, len(b.attrs), len(b.attrs)+len(attrs))
	copy(all, b.attrs)
	for _, a := range attrs {
		flatten(b.prefix, a, func(key string, v slog.Value) {
			all = append(all, slog.Attr{Key: key, Value: v})
		})
	}
	return bound{all, b.prefix}
}

func (b bound) group(name string) bound {
	return bound{b.attrs, b.prefix + name + "."}
}

// each calls f for every attribute of a line, groups taken apart.
func (b bound) each(r slog.Record, f func(key string, v slog.Value)) {
	for _, a := range b.attrs {
		f(a.Key, a.Value)
	}
	r.Attrs(func(a slog.Attr) bool {
		flatten(b.prefix, a, f)
		return true
	})
}

func flatten(prefix string, a slog.Attr, f func(key string, v slog.Value)) {
	v := a.Value.Resolve()
	if v.Kind() != slog.KindGroup {
		if a.Key != "" {
			f(prefix+a.Key, v)
		}
		return
	}
	if a.Key != "" {
		prefix += a.Key + "."
	}
	for _, a := range v.Group() {
		flatten(prefix, a, f)
	}
}
