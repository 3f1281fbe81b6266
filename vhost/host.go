package vhost

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/idna"
	"golang.org/x/text/unicode/norm"
)

// Lengths in bytes: of a name and of one of its labels in their ASCII form, as
// DNS can hold them, and of an IPv6 address.
const (
	maxName  = 253
	maxLabel = 63
	maxIPv6  = 39
)

// Normalize returns the canonical form of the host in a Host header or an
// :authority: lower case, without port and trailing dot, international names
// in their ASCII form, addresses in their shortest one and IPv6 in brackets.
// Two spellings of one host have the same canonical form, and it is its own.
//
// A lower-case ASCII name or IPv4 address costs no allocation. An error means
// that the host is malformed, an empty one included, and says why.
func Normalize(host string) (string, error) {
	name, err := cutPort(host)
	if err == nil {
		name, err = normalizeName(name)
	}
	if err != nil {
		return "", fmt.Errorf("malformed host %.80q: %w", host, err)
	}
	return name, nil
}

// cutPort removes ":port" and checks it: a port has no say in routing, but one
// that isn't a number is a sign that the rest can't be trusted either.
func cutPort(host string) (string, error) {
	i := strings.LastIndexByte(host, ':')
	if i < 0 || i < strings.IndexByte(host, ']') {
		return host, nil
	}
	port := 0
	for _, c := range []byte(host[i+1:]) {
		if c < '0' || c > '9' {
			return "", errors.New("its port is not a number")
		}
		if port = port*10 + int(c-'0'); port > 65535 {
			return "", errors.New("its port is above 65535")
		}
	}
	return host[:i], nil
}

// normalizeName is Normalize for a host without a port.
func normalizeName(name string) (string, error) {
	if strings.HasPrefix(name, "[") {
		return normalizeIPv6(name)
	}
	name = strings.TrimSuffix(name, ".")
	form := scan(name)
	if form == upper {
		name = strings.ToLower(name)
		form = scan(name)
	}
	if form == international {
		ascii, err := toASCII(name)
		if err != nil {
			return "", err
		}
		// The mapping turns other full stops, U+3002 for one, into dots.
		name = strings.TrimSuffix(ascii, ".")
	}
	if err := checkName(name); err != nil {
		return "", err
	}
	return name, nil
}

// A form says what is to be done to a name before it is canonical.
type form int

const (
	plain         form = iota // nothing
	upper                     // ASCII with capital letters
	international             // something that only the IDNA mapping can judge
)

func scan(name string) form {
	f := plain
	for i := range len(name) {
		switch c := name[i]; {
		case c >= 0x80:
			return international
		case 'A' <= c && c <= 'Z':
			f = upper
		case c == 'x' && strings.HasPrefix(name[i:], "xn--") && (i == 0 || name[i-1] == '.'):
			// Whether it is well formed, and the only spelling of what it
			// stands for, shows when it is decoded.
			f = international
		}
	}
	return f
}

// browserProfile maps a name as browsers do before they send it: UTS 46, not
// transitional. It lets ASCII through that no host has; checkName doesn't.
var browserProfile = idna.New(
	idna.MapForLookup(),
	idna.BidiRule(),
	idna.Transitional(false),
	idna.StrictDomainName(false),
	idna.CheckHyphens(false),
)

func toASCII(name string) (string, error) {
	// No character of a name takes more bytes than this, and the mapping of a
	// long one costs time that grows with its square.
	if len(name) > 4*maxName {
		return "", errTooLong
	}
	// Composed first: UTS 46 maps before it composes, which tears spellings
	// with U+0345 apart that are canonically equivalent.
	ascii, err := browserProfile.ToASCII(norm.NFC.String(name))
	if err == nil {
		// A canonical form has to be its own, and that of the name it stands
		// for. The package lets a few through that aren't (golang.org/x/net
		// v0.62, 2026-08): U+2135 beside Latin letters, xn-- inside of xn--.
		var name, again string
		if name, err = browserProfile.ToUnicode(ascii); err == nil {
			again, err = browserProfile.ToASCII(name)
		}
		if again != ascii {
			err = errors.New("not canonical")
		}
	}
	if err != nil || !utf8.ValidString(name) {
		return "", errors.New("it is not an international domain name")
	}
	return ascii, nil
}

var (
	errEmpty   = errors.New("it is empty")
	errTooLong = fmt.Errorf("it is longer than %d bytes", maxName)
)

// checkName checks a name in ASCII. It is as lenient as browsers are: letters,
// digits, dashes and underscores anywhere.
func checkName(name string) error {
	if name == "" {
		return errEmpty
	}
	if len(name) > maxName {
		return errTooLong
	}
	label := 0 // where the current label begins
	for i := range len(name) {
		switch c := name[i]; {
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9', c == '-', c == '_':
			if i-label >= maxLabel {
				return fmt.Errorf("a part of it is longer than %d bytes", maxLabel)
			}
		case c == '.':
			if i == label {
				return errors.New("it has an empty part")
			}
			label = i + 1
		case c == ':':
			return errors.New("an IPv6 address stands in brackets")
		default:
			return fmt.Errorf("%q can't be in a host", c)
		}
	}
	if label == len(name) {
		return errors.New("it has an empty part")
	}
	if isNumber(name[label:]) {
		return checkIPv4(name)
	}
	return nil
}

// isNumber reports whether a last label makes browsers read the whole name as
// an IPv4 address.
func isNumber(label string) bool {
	hex := strings.HasPrefix(label, "0x")
	if hex {
		label = label[2:]
	}
	for _, c := range []byte(label) {
		if (c < '0' || c > '9') && (!hex || c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

// checkIPv4 refuses the shorter, octal and hexadecimal spellings of an address,
// so that the one that is left is canonical.
func checkIPv4(name string) error {
	if _, err := netip.ParseAddr(name); err != nil {
		return errors.New("it ends in a number, but is no IPv4 address of four decimal numbers")
	}
	return nil
}

func normalizeIPv6(name string) (string, error) {
	text, ok := strings.CutSuffix(name[1:], "]")
	addr, err := netip.ParseAddr(text)
	if !ok || err != nil || !addr.Is6() || addr.Zone() != "" {
		return "", errors.New("there is no IPv6 address in its brackets")
	}
	if addr.Is4In6() {
		return addr.Unmap().String(), nil
	}
	var buf [maxIPv6]byte
	if canonical := addr.AppendTo(buf[:0]); string(canonical) != text {
		return "[" + string(canonical) + "]", nil
	}
	return name, nil
}
