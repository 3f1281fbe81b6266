package daemon

import "math/rand/v2"

// newID makes a request id: 64 random bits as 13 digits of base 32.
func newID() string {
	const digits = "0123456789abcdefghjkmnpqrstvwxyz"
	var b [13]byte
	n := rand.Uint64()
	for i := range b {
		b[i] = digits[n&31]
		n >>= 5
	}
	return string(b[:])
}

// validID reports whether a proxy's request id can go into headers and logs as it is.
func validID(id string) bool {
	if id == "" || len(id) > 128 {
		return false
	}
	for i := range len(id) {
		switch c := id[i]; {
		case '0' <= c && c <= '9', 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z':
		case c == '-', c == '_', c == '.', c == ':', c == '/', c == '+', c == '=', c == '~', c == '@':
		default:
			return false
		}
	}
	return true
}
