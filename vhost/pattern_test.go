package vhost

import (
	"strings"
	"testing"
)

func TestParsePattern(t *testing.T) {
	tests := map[string]struct{ pattern, want string }{
		"name":              {"example.com", "example.com"},
		"capitals":          {"Example.COM", "example.com"},
		"trailing dot":      {"example.com.", "example.com"},
		"international":     {"bücher.example", "xn--bcher-kva.example"},
		"wildcard":          {"*.example.com", "*.example.com"},
		"wild top level":    {"*.localhost", "*.localhost"},
		"wild Unicode":      {"*.BÜCHER.example.", "*.xn--bcher-kva.example"},
		"IPv4":              {"10.0.0.1", "10.0.0.1"},
		"IPv6":              {"[2001:DB8::0]", "[2001:db8::]"},
		"IPv4 inside of v6": {"[::ffff:10.0.0.1]", "10.0.0.1"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			p, err := ParsePattern(tt.pattern)
			if err != nil || p.String() != tt.want {
				t.Errorf("ParsePattern(%q) = %q, %v; want %q", tt.pattern, p.String(), err, tt.want)
			}
		})
	}
}

func TestParsePatternErrors(t *testing.T) {
	tests := map[string]struct{ pattern, want string }{
		"empty":             {"", `it is empty; write a name such as "example.com"`},
		"star":              {"*", `"*" is no host; the app that takes the hosts nobody claims says default = true`},
		"white space":       {" example.com", `it has white space around it; write "example.com"`},
		"URL":               {"https://Example.com:8443/blog", `it is a URL; write the host alone: "example.com"`},
		"path":              {"example.com/blog", `it is a URL; write the host alone: "example.com"`},
		"hopeless URL":      {"https://a b/", `it is a URL; write the host alone`},
		"star in a label":   {"blog*.example.com", `a wildcard is "*." and a name, such as "*.example.com"; it matches one or more labels`},
		"star in between":   {"*.*.example.com", `a wildcard is "*." and a name, such as "*.example.com"; it matches one or more labels`},
		"port":              {"Example.com:8080", `the port of a request has no say in routing; write the host alone: "example.com"`},
		"port and wildcard": {"*.example.com:80", `the port of a request has no say in routing; write the host alone: "*.example.com"`},
		"IPv6 and port":     {"[::1]:80", `the port of a request has no say in routing; write the host alone: "[::1]"`},
		"word as port":      {"example.com:http", `an IPv6 address stands in brackets`},
		"bare IPv6":         {"2001:DB8::1", `an IPv6 address stands in brackets; write "[2001:db8::1]"`},
		"wildcard address":  {"*.10.0.0.1", `a wildcard stands before a name, not before an address`},
		"wildcard in IPv4":  {"*.0.0.1", `it ends in a number, but is no IPv4 address of four decimal numbers`},
		"nothing wild":      {"*.", `it is empty`},
		"character":         {"a$b.example", `'$' can't be in a host`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			p, err := ParsePattern(tt.pattern)
			if err == nil {
				t.Fatalf("ParsePattern(%q) = %q; want an error", tt.pattern, p.String())
			}
			if err.Error() != tt.want {
				t.Errorf("ParsePattern(%q):\n got %s\nwant %s", tt.pattern, err, tt.want)
			}
		})
	}
}

func FuzzParsePattern(f *testing.F) {
	for _, seed := range []string{"*.example.com", "http://[::1]:80/", "*", "*.*.", "a:b", "//", "*.[::1]"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p, err := ParsePattern(s)
		if err != nil {
			return
		}
		again, err := ParsePattern(p.String())
		if err != nil || again != p {
			t.Errorf("ParsePattern(%q) = %q, which gives %q, %v", s, p.String(), again.String(), err)
		}
		if strings.HasPrefix(s, "*.") != p.wildcard {
			t.Errorf("ParsePattern(%q) = %q", s, p.String())
		}
	})
}
