package assets

import "strings"

// An encoding is a way in which a file may lie beside itself compressed.
type encoding struct{ name, ext string }

// encodings are in the order of preference: the smallest files first.
var encodings = []encoding{{"br", ".br"}, {"gzip", ".gz"}}

// accepts reports whether an Accept-Encoding header names a coding (or "*")
// and doesn't give it the weight 0. An absent header accepts nothing here:
// such clients are better off with the plain file.
func accepts(header, coding string) bool {
	rest := false // what "*" says of the codings not named
	for header != "" {
		var item string
		item, header, _ = strings.Cut(header, ",")
		name, params, _ := strings.Cut(item, ";")
		name = strings.Trim(name, " \t")
		switch {
		case strings.EqualFold(name, coding) || coding == "gzip" && strings.EqualFold(name, "x-gzip"):
			return !zeroWeight(params)
		case name == "*":
			rest = !zeroWeight(params)
		}
	}
	return rest
}

// zeroWeight reports whether a coding's parameters say q=0.
func zeroWeight(params string) bool {
	for params != "" {
		var param string
		param, params, _ = strings.Cut(params, ";")
		key, value, _ := strings.Cut(param, "=")
		if strings.EqualFold(strings.Trim(key, " \t"), "q") {
			value = strings.Trim(value, " \t")
			return strings.HasPrefix(value, "0") && strings.Trim(value, "0.") == ""
		}
	}
	return false
}
