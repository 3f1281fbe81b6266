package app

import (
	"fmt"
	"html/template"
	"net/http"
	"strings"

	"github.com/nano-runtime/nano/daemon"
)

// fail answers for an app that threw. The text is for the client only under Dev: it
// may hold source code.
func (r *release) fail(x *daemon.Exchange, thrown, text string) {
	if !r.app.set.opts.Dev {
		respond(x, http.StatusInternalServerError, "Internal Server Error\n", "")
		return
	}
	errorPage(x, http.StatusInternalServerError, "The app threw an exception", text+r.excerpt(thrown))
}

// excerpt is the line of the original source where V8's stack begins, marked.
func (r *release) excerpt(stack string) string {
	_, place, _ := strings.Cut(stack, moduleName(r.app.Name)+":")
	var line, column int
	if _, err := fmt.Sscanf(place, "%d:%d", &line, &column); err != nil {
		return ""
	}
	b := r.source()
	if b == nil {
		return ""
	}
	at, ok := b.Original(line, column)
	if !ok {
		return ""
	}
	source := b.SourceLine(at)
	if source == "" {
		return ""
	}
	// Tabs stay tabs in the margin, so that the mark stands under its column.
	margin := strings.Map(func(c rune) rune {
		if c == '\t' {
			return c
		}
		return ' '
	}, source[:min(at.Column-1, len(source))])
	return fmt.Sprintf("\n\n%s:%d\n    %s\n    %s^", at.File, at.Line, source, margin)
}

// errorPage shows text to a developer, in the browser or in a terminal.
func errorPage(x *daemon.Exchange, status int, title, text string) {
	if !strings.Contains(x.Header.Get("accept"), "text/html") {
		respond(x, status, title+"\n\n"+text+"\n", "")
		return
	}
	var b strings.Builder
	if err := page.Execute(&b, struct{ Title, Text string }{title, text}); err != nil {
		respond(x, status, text, "")
		return
	}
	_ = x.Respond(status, []byte("content-type\ntext/html; charset=utf-8\ncache-control\nno-store\n"), []byte(b.String()))
}

var page = template.Must(template.New("error").Parse(`<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>{{.Title}}</title>
<style>
body { font: 16px/1.5 system-ui, sans-serif; margin: 3rem; background: #1c1b1a; color: #eee }
h1 { font-size: 1.2rem; color: #ff7b72 }
pre { font: 14px/1.5 ui-monospace, monospace; background: #2a2827; padding: 1rem; border-radius: 6px; overflow: auto }
</style>
<h1>{{.Title}}</h1>
<pre>{{.Text}}</pre>
</html>
`))
