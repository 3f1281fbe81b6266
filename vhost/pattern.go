package vhost

import (
	"errors"
	"fmt"
	"strings"
)

// A Pattern is a host as a configuration names it: one canonical name or
// address, or a wildcard "*.name" that stands for every name with one label or
// more before it. Equal patterns claim the same hosts.
type Pattern struct {
	name     string // without "*."
	wildcard bool
}

// ParsePattern reads a pattern in any spelling. Its error says what is wrong,
// and what would be right, without naming s.
func ParsePattern(s string) (Pattern, error) {
	name, wildcard := strings.CutPrefix(s, "*.")
	switch {
	case s == "":
		return Pattern{}, errors.New(`it is empty; write a name such as "example.com"`)
	case s == "*":
		return Pattern{}, errors.New(`"*" is no host; the app that takes the hosts nobody claims says default = true`)
	case strings.TrimSpace(s) != s:
		return Pattern{}, fmt.Errorf("it has white space around it; write %q", strings.TrimSpace(s))
	case strings.Contains(s, "/"):
		return Pattern{}, fmt.Errorf("it is a URL; write the host alone%s", suggest(hostOfURL(s)))
	case strings.Contains(name, "*"):
		return Pattern{}, errors.New(`a wildcard is "*." and a name, such as "*.example.com"; it matches one or more labels`)
	}
	if host, err := Normalize("[" + s + "]"); err == nil && s[0] != '[' {
		return Pattern{}, fmt.Errorf("an IPv6 address stands in brackets; write %q", host)
	}
	if bare, err := cutPort(name); err == nil && bare != name {
		return Pattern{}, fmt.Errorf("the port of a request has no say in routing; write the host alone%s", suggest(s[:len(s)-len(name)+len(bare)]))
	}
	host, err := normalizeName(name)
	if err != nil {
		return Pattern{}, err
	}
	if wildcard && isAddress(host) {
		return Pattern{}, errors.New("a wildcard stands before a name, not before an address")
	}
	return Pattern{name: host, wildcard: wildcard}, nil
}

// String returns the canonical spelling.
func (p Pattern) String() string {
	if p.wildcard {
		return "*." + p.name
	}
	return p.name
}

// isAddress reports whether a canonical host is an IP address.
func isAddress(host string) bool {
	return host[0] == '[' || isNumber(host[strings.LastIndexByte(host, '.')+1:])
}

// hostOfURL returns what stands between the scheme and the path.
func hostOfURL(s string) string {
	if _, rest, ok := strings.Cut(s, "//"); ok {
		s = rest
	}
	s, _, _ = strings.Cut(s, "/")
	if bare, err := cutPort(s); err == nil {
		s = bare
	}
	return s
}

// suggest ends a message with a spelling that would be right, if there is one.
func suggest(s string) string {
	p, err := ParsePattern(s)
	if err != nil {
		return ""
	}
	return fmt.Sprintf(": %q", p.String())
}
