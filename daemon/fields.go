package daemon

import (
	"bytes"
	"fmt"
	"iter"
	"strings"
)

// Fields is a header section as one string: "name\nvalue\nname\nvalue\n". Names are in
// lower case, values are bytes without line breaks and NULs, and a field that was sent
// twice is there twice, in order.
type Fields string

// Get is the value of the first field with that name, which is in lower case.
func (f Fields) Get(name string) string {
	for n, v := range f.All() {
		if n == name {
			return v
		}
	}
	return ""
}

// All runs through the fields in order.
func (f Fields) All() iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		rest := string(f)
		for rest != "" {
			name, after, _ := strings.Cut(rest, "\n")
			value, after, _ := strings.Cut(after, "\n")
			if !yield(name, value) {
				return
			}
			rest = after
		}
	}
}

// Classes of bytes in a header.
const (
	tokenByte = 1 << iota // may be in a name or method
	upperByte             // 'A' to 'Z'
	valueByte             // may be in a value
	hostByte              // may be in a host, port included
	pathByte              // may be in a request target; not ASCII ones count
)

// class says of each byte where it may be.
var class = func() (t [256]byte) {
	for c := range t {
		b := byte(c)
		switch {
		case '0' <= b && b <= '9', 'a' <= b && b <= 'z', 'A' <= b && b <= 'Z':
			t[c] = tokenByte | valueByte | hostByte | pathByte
			if 'A' <= b && b <= 'Z' {
				t[c] |= upperByte
			}
		case b == '\t', b == ' ':
			t[c] = valueByte
		case b >= 0x80:
			t[c] = valueByte | hostByte | pathByte
		case b > ' ' && b < 0x7f:
			t[c] = valueByte | pathByte
			if strings.IndexByte("!#$%&'*+-.^_`|~", b) >= 0 {
				t[c] |= tokenByte
			}
			if strings.IndexByte("!$%&'()*+,;=-._~:[]", b) >= 0 {
				t[c] |= hostByte
			}
		}
	}
	t['#'] &^= pathByte
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

// checkFields checks what a handler wants to send: an app must not be able to end a
// header early, whatever it puts into it.
func checkFields(text []byte) error {
	for len(text) > 0 {
		name, value, rest, ok := cutField(text)
		if !ok {
			return fmt.Errorf("the header ends in the middle of field %.80q", text)
		}
		if len(name) == 0 || !all(name, tokenByte) {
			return fmt.Errorf("%.80q is not the name of a header field", name)
		}
		if !all(value, valueByte) {
			return fmt.Errorf("the value of header field %q has a control character", name)
		}
		text = rest
	}
	return nil
}

// cutField cuts the first field off a text in the form of Fields.
func cutField(text []byte) (name, value, rest []byte, ok bool) {
	i := bytes.IndexByte(text, '\n')
	if i < 0 {
		return nil, nil, nil, false
	}
	j := bytes.IndexByte(text[i+1:], '\n')
	if j < 0 {
		return nil, nil, nil, false
	}
	return text[:i], text[i+1 : i+1+j], text[i+j+2:], true
}

// ofConnection reports whether a field, by its name in lower case, is about the
// connection and not about the message: a handler has no say in it.
func ofConnection[T string | []byte](name T) bool {
	switch string(name) {
	case "connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade":
		return true
	}
	return false
}
