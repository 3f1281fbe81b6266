package daemon

import (
	"fmt"
	"iter"
	"net/http"
	"strings"

	"github.com/nano-runtime/nano/daemon/http1"
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

// header is the fields as net/http has them, without the host.
func (f Fields) header() http.Header {
	h := make(http.Header)
	for name, value := range f.All() {
		if name != "host" {
			name = http.CanonicalHeaderKey(name)
			h[name] = append(h[name], value)
		}
	}
	return h
}

// checkFields checks what a handler wants to send: an app must not be able to end a
// header early, whatever it puts into it.
func checkFields(text []byte) error {
	for len(text) > 0 {
		name, value, rest, ok := http1.CutField(text)
		if !ok {
			return fmt.Errorf("the header ends in the middle of field %.80q", text)
		}
		if !http1.IsName(name) {
			return fmt.Errorf("%.80q is not the name of a header field in lower case", name)
		}
		if !http1.IsValue(value) {
			return fmt.Errorf("the value of header field %q has a control character", name)
		}
		text = rest
	}
	return nil
}
