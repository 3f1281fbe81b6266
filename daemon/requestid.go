package daemon

import "math/rand/v2"

// appendID makes a request id and appends it: 64 random bits as 13 digits of base 32.
func appendID(b []byte) []byte {
	const digits = "0123456789abcdefghjkmnpqrstvwxyz"
	n := rand.Uint64()
	for range 13 {
		b = append(b, digits[n&31])
		n >>= 5
	}
	return b
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
