package assets

import (
	"iter"
	"net/http"
	"path"
	"strings"
)

// A Finding is what Quick knows of a request.
type Finding int

// The findings.
const (
	Unsure Finding = iota // ask Serve
	Absent                // no file matches
	Found
)

// Quick is Serve for the most common case, without net/http: a GET of a small file that
// was sent before, or of what is no file at all. target is the request's path and query;
// fields are its header's, with names in lower case. Of a file it gives the answer's
// fields, as "name\nvalue\n", and its body: both stay the server's.
func (s *Server) Quick(target string, fields iter.Seq2[string, string]) (f Finding, header, body []byte) {
	target, _, _ = strings.Cut(target, "?")
	if strings.Contains(target, "%") {
		return Unsure, nil, nil
	}
	name, slash, ok := fileName(target, "")
	if !ok {
		return Absent, nil, nil
	}
	if slash {
		name = path.Join(name, "index.html")
	}
	k := choice{name: name}
	_, compresses := contentType(name)
	chosen := !compresses
	for field, value := range fields {
		switch field {
		case "range", "if-none-match", "if-modified-since", "if-match", "if-unmodified-since":
			return Unsure, nil, nil
		case "accept-encoding":
			if !chosen {
				k.br, k.gzip, chosen = accepts(value, "br"), accepts(value, "gzip"), true
			}
		}
	}
	if a := s.cache.get(k); a != nil {
		return Found, a.fields, a.body
	}
	if !s.mayExist(name) {
		return Absent, nil, nil
	}
	return Unsure, nil, nil
}

// flatten writes a header as Quick gives it.
func flatten(h http.Header) []byte {
	var b []byte
	for name, values := range h {
		for _, v := range values {
			b = append(b, strings.ToLower(name)+"\n"+v+"\n"...)
		}
	}
	return b
}
