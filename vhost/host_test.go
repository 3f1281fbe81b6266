package vhost

import (
	"strings"
	"testing"

	"golang.org/x/text/unicode/norm"
)

func TestNormalize(t *testing.T) {
	long := strings.Repeat("a", maxLabel)
	longest := long + "." + long + "." + long + "." + long[:maxName-3*(maxLabel+1)]
	tests := map[string]struct{ host, want string }{
		"plain":                      {"blog.example.com", "blog.example.com"},
		"one label":                  {"localhost", "localhost"},
		"capitals":                   {"Blog.EXAMPLE.com", "blog.example.com"},
		"port":                       {"example.com:8080", "example.com"},
		"empty port":                 {"example.com:", "example.com"},
		"port with leading zeros":    {"example.com:00080", "example.com"},
		"trailing dot":               {"example.com.", "example.com"},
		"trailing dot and port":      {"example.com.:443", "example.com"},
		"underscore":                 {"my_app.example.com", "my_app.example.com"},
		"dashes where registrars":    {"-a-.r3---sn-apo3.example.com", "-a-.r3---sn-apo3.example.com"},
		"digits in front":            {"4.example", "4.example"},
		"longest":                    {longest, longest},
		"international":              {"bücher.example", "xn--bcher-kva.example"},
		"international, capitals":    {"BÜCHER.Example", "xn--bcher-kva.example"},
		"international, decomposed":  {"bu\u0308cher.example", "xn--bcher-kva.example"},
		"punycode":                   {"xn--bcher-kva.example", "xn--bcher-kva.example"},
		"punycode, capitals":         {"XN--BCHER-KVA.example", "xn--bcher-kva.example"},
		"sharp s is a letter":        {"straße.example", "xn--strae-oqa.example"},
		"ideographic full stops":     {"例え。テスト。", "xn--r8jz45g.xn--zckzah"},
		"full width":                 {"ｅｘａｍｐｌｅ．ｃｏｍ", "example.com"},
		"full width address":         {"１２７.0.0.1", "127.0.0.1"},
		"soft hyphen":                {"exam\u00adple.com", "example.com"},
		"right to left":              {"אתר.example", "xn--4db2cf.example"},
		"emoji":                      {"i❤.ws", "xn--i-7iq.ws"},
		"IPv4":                       {"127.0.0.1", "127.0.0.1"},
		"IPv4 with port":             {"127.0.0.1:80", "127.0.0.1"},
		"IPv4 with trailing dot":     {"127.0.0.1.", "127.0.0.1"},
		"IPv6":                       {"[::1]", "[::1]"},
		"IPv6 with port":             {"[::1]:8080", "[::1]"},
		"IPv6 at length":             {"[2001:0DB8:0:0:0:0:0:1]:443", "[2001:db8::1]"},
		"IPv6 of the greatest width": {"[2001:db8:1111:2222:3333:4444:5555:6666]", "[2001:db8:1111:2222:3333:4444:5555:6666]"},
		"IPv4 in IPv6":               {"[::ffff:127.0.0.1]", "127.0.0.1"},
		"IPv4 in IPv6, hexadecimal":  {"[::FFFF:7f00:1]", "127.0.0.1"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := Normalize(tt.host)
			if err != nil || got != tt.want {
				t.Errorf("Normalize(%q) = %q, %v; want %q", tt.host, got, err, tt.want)
			}
		})
	}
}

func TestNormalizeMalformed(t *testing.T) {
	tests := map[string]struct{ host, why string }{
		"nothing":               {"", "empty"},
		"dot":                   {".", "empty"},
		"port alone":            {":80", "empty"},
		"empty part":            {"a..b", "empty part"},
		"leading dot":           {".a", "empty part"},
		"two trailing dots":     {"a..", "empty part"},
		"ideographic dots":      {"a。。", "empty part"},
		"word as port":          {"a:http", "not a number"},
		"negative port":         {"a:-1", "not a number"},
		"high port":             {"a:65536", "above 65535"},
		"very high port":        {"a:99999999999999999999", "above 65535"},
		"two ports":             {"a:1:2", "brackets"},
		"space":                 {"a b", "' ' can't be"},
		"NUL":                   {"a\x00b", `'\x00' can't be`},
		"user":                  {"user@a", "'@' can't be"},
		"path":                  {"a/b", "'/' can't be"},
		"percent":               {"%61", "'%' can't be"},
		"wildcard":              {"*.a", "'*' can't be"},
		"list":                  {"a,b", "',' can't be"},
		"full-width colon":      {"a：80", "brackets"},
		"full-width at":         {"user＠a", "'@' can't be"},
		"double question mark":  {"⁇", "'?' can't be"},
		"not UTF-8":             {"a\xffb", "international"},
		"lone surrogate":        {"a\xed\xa0\x80b", "international"},
		"bad punycode":          {"xn--a.example", "international"},
		"punycode of ASCII":     {"xn--abc-.example", "international"},
		"punycode inside":       {"xn--xn--0-01a", "international"},
		"empty punycode":        {"xn--", "empty"},
		"unmapped punycode":     {"xn--e5g", "international"},
		"mapped to mixed":       {"Kℶ", "international"},
		"mixed direction":       {"a\u05d0.example", "international"},
		"long label":            {strings.Repeat("a", maxLabel+1), "longer than 63"},
		"long name":             {strings.Repeat("a.", maxName/2) + "aa", "longer than 253"},
		"long label encoded":    {strings.Repeat("ü", maxLabel-3), "longer than 63"},
		"megabyte":              {strings.Repeat("ü", 1<<20), "longer than 253"},
		"short IPv4":            {"127.1", "IPv4"},
		"number":                {"2130706433", "IPv4"},
		"hexadecimal":           {"0x7F000001", "IPv4"},
		"hexadecimal, empty":    {"0x", "IPv4"},
		"octal":                 {"0177.0.0.1", "IPv4"},
		"IPv4 out of range":     {"256.0.0.1", "IPv4"},
		"IPv4 and more":         {"1.2.3.4.5", "IPv4"},
		"name ends in a number": {"web.1", "IPv4"},
		"bare IPv6":             {"::1", "brackets"},
		"bare IPv6, longer":     {"2001:db8::1", "brackets"},
		"open bracket":          {"[::1", "brackets"},
		"IPv6 with zone":        {"[fe80::1%25eth0]", "IPv6"},
		"IPv6 with dot":         {"[::1].", "IPv6"},
		"IPv4 in brackets":      {"[127.0.0.1]", "IPv6"},
		"name in brackets":      {"[localhost]", "IPv6"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := Normalize(tt.host)
			if err == nil {
				t.Fatalf("Normalize(%.80q) = %q; want an error", tt.host, got)
			}
			if !strings.Contains(err.Error(), tt.why) || len(err.Error()) > 500 {
				t.Errorf("Normalize(%.80q): %.500v; want %q in it", tt.host, err, tt.why)
			}
		})
	}
}

func TestNormalizeAllocations(t *testing.T) {
	for _, host := range []string{"blog.example.com:8080", "blog.example.com.", "127.0.0.1:80", "[::1]:80"} {
		if n := testing.AllocsPerRun(100, func() { Normalize(host) }); n != 0 {
			t.Errorf("Normalize(%q) allocates %v times", host, n)
		}
	}
}

// FuzzNormalize checks that no input panics, and that whatever is one host has
// one canonical form.
func FuzzNormalize(f *testing.F) {
	for _, seed := range []string{
		"blog.example.com:8080", "BÜCHER.example.", "xn--bcher-kva", "straße", "例え。テスト", "a\u200db", "١.example",
		"127.0.0.1:80", "0x7f.1", "[2001:DB8::1]:443", "[::ffff:1.2.3.4]", "a：80", "\u2024", "ⅷ.example", "xn--zckzah.", "xn--a-ecp.ru",
		"ﷺ", "\u0378", "xn--1ch", "-.-", "faß.de", "K\u212A", "Kℶ", "Ņ́ͅ", "a\u0301\u00ad.b", "xn--0.pt", "..", "[", "]:1", "",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, host string) {
		want, err := Normalize(host)
		if err != nil {
			if want != "" {
				t.Fatalf("Normalize(%q) = %q beside the error %v", host, want, err)
			}
			return
		}
		if err := checkCanonical(want); err != "" {
			t.Fatalf("Normalize(%q) = %q: %s", host, want, err)
		}
		for what, spelling := range spellings(host, want) {
			if got, err := Normalize(spelling); err != nil || got != want {
				t.Errorf("Normalize(%q) = %q, but %s, %q, gives %q, %v", host, want, what, spelling, got, err)
			}
		}
		p, err := ParsePattern(want)
		if err != nil || p.String() != want {
			t.Errorf("ParsePattern(%q) = %v, %v", want, p, err)
		}
	})
}

func checkCanonical(host string) string {
	switch {
	case host == "":
		return "empty"
	case strings.ToLower(host) != host:
		return "not lower case"
	case strings.HasSuffix(host, "."):
		return "ends in a dot"
	case strings.Trim(host, "abcdefghijklmnopqrstuvwxyz0123456789-_.") != "" && host[0] != '[':
		return "not a name"
	}
	return ""
}

// spellings returns other ways to write the host whose canonical form is given.
func spellings(host, canonical string) map[string]string {
	s := map[string]string{
		"itself":    canonical,
		"a port":    canonical + ":8080",
		"capitals":  strings.Map(capital, canonical),
		"mixed":     strings.Map(capital, host),
		"composed":  norm.NFC.String(host),
		"separated": norm.NFD.String(host),
	}
	if canonical[0] != '[' {
		s["a dot"] = canonical + "."
		s["a dot and a port"] = canonical + ".:1"
	}
	if u, err := browserProfile.ToUnicode(canonical); err == nil {
		s["Unicode"] = u
	}
	return s
}

func capital(r rune) rune {
	if 'a' <= r && r <= 'z' {
		return r - 'a' + 'A'
	}
	return r
}
