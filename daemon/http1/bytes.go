// Package http1 is the syntax of HTTP/1.1 messages as a server meets it: the head of a
// request, chunked bodies, the head of a response. It is strict: what RFC 9112 lets a
// server refuse because others might read it differently is refused. It knows no
// sockets and no time; limits are the caller's.
package http1

import (
	"bytes"
	"strings"
)

// Classes of bytes.
const (
	tokenByte = 1 << iota // may be in a field's name or in a method
	upperByte             // 'A' to 'Z'
	valueByte             // may be in a field's value
	hostByte              // may be in a host, with its port
	pathByte              // may be in a request's target
)

// class says of each byte where it may be. Bytes past ASCII may be in values, and in
// hosts and targets too: people type them, and there is one way to read them, UTF-8.
var class = func() (t [256]byte) {
	for c := range t {
		b := byte(c)
		switch {
		case '0' <= b && b <= '9', 'a' <= b && b <= 'z':
			t[c] = tokenByte | valueByte | hostByte | pathByte
		case 'A' <= b && b <= 'Z':
			t[c] = tokenByte | valueByte | hostByte | pathByte | upperByte
		case b == '\t', b == ' ':
			t[c] = valueByte
		case b >= 0x80:
			t[c] = valueByte | hostByte | pathByte
		case b > ' ' && b < 0x7f:
			t[c] = valueByte
			if b != '#' {
				t[c] |= pathByte
			}
			if strings.IndexByte("!#$%&'*+-.^_`|~", b) >= 0 {
				t[c] |= tokenByte
			}
			if strings.IndexByte("!$%&'()*+,;=-._~:[]", b) >= 0 {
				t[c] |= hostByte
			}
		}
	}
	return t
}()

func all[T string | []byte](s T, in byte) bool {
	for i := range len(s) {
		if class[s[i]]&in == 0 {
			return false
		}
	}
	return true
}

// IsToken reports whether s can be a method or the name of a field.
func IsToken[T string | []byte](s T) bool { return len(s) > 0 && all(s, tokenByte) }

// IsName reports whether s can be the name of a field and is in lower case.
func IsName[T string | []byte](s T) bool {
	for i := range len(s) {
		if class[s[i]]&(tokenByte|upperByte) != tokenByte {
			return false
		}
	}
	return len(s) > 0
}

// IsValue reports whether s can be the value of a field.
func IsValue[T string | []byte](s T) bool { return all(s, valueByte) }

// IsHost reports whether s has only bytes that a host can have, a port included.
func IsHost[T string | []byte](s T) bool { return len(s) > 0 && all(s, hostByte) }

// IsTarget reports whether s has only bytes that a request's target can have.
func IsTarget[T string | []byte](s T) bool { return len(s) > 0 && all(s, pathByte) }

// CutField cuts the first field off a text of "name\nvalue\n" pairs; ok is false when
// it ends in the middle of one.
func CutField(text []byte) (name, value, rest []byte, ok bool) {
	i := bytes.IndexByte(text, '\n')
	if i < 0 {
		return nil, nil, nil, false
	}
	name, text = text[:i], text[i+1:]
	i = bytes.IndexByte(text, '\n')
	if i < 0 {
		return nil, nil, nil, false
	}
	return name, text[:i], text[i+1:], true
}

// equalFold reports whether b is lower in any mix of cases; lower is in lower case.
func equalFold(b []byte, lower string) bool {
	if len(b) != len(lower) {
		return false
	}
	for i, c := range b {
		if class[c]&upperByte != 0 {
			c |= 0x20
		}
		if c != lower[i] {
			return false
		}
	}
	return true
}
