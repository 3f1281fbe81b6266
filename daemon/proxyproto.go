package daemon

import (
	"bytes"
	"encoding/binary"
	"errors"
	"net/netip"
	"strings"

	"github.com/nano-runtime/nano/daemon/http1"
)

// How the header of the PROXY protocol begins, in its two versions, and how long it can
// be.
const (
	proxyV1    = "PROXY "
	proxyV2    = "\r\n\r\n\x00\r\nQUIT\n"
	maxProxyV1 = 107
	proxyV2Len = 16 // of the fixed part
	maxProxyV2 = proxyV2Len + 2048
)

var errProxyHeader = errors.New("the PROXY protocol header is malformed")

// takeProxyHeader reads the header that a trusted proxy may put before everything else,
// and makes its client the peer. It reports whether the connection goes on.
func (c *conn) takeProxyHeader() bool {
	for {
		from, n, err := parseProxyHeader(c.buffered())
		switch {
		case err != nil:
			c.refuse(&http1.Error{Status: 400, Reason: err.Error()})
			return false
		case n == 0:
			if err := c.fill(); err != nil {
				return false
			}
			continue
		case n > 0:
			c.consume(n)
		}
		if from.peer.IsValid() {
			c.peer, c.secure = from.peer, from.secure
			c.trusted = c.front.trust.believes(from.peer)
		}
		return true
	}
}

// origin is where a connection comes from, as a proxy says. Without a valid peer it is
// the proxy's own.
type origin struct {
	peer   netip.Addr
	secure bool // the client came by TLS
}

// parseProxyHeader looks for a header at the beginning of data. n is its length, 0 if
// more is needed to tell, and -1 if there is none.
func parseProxyHeader(data []byte) (from origin, n int, err error) {
	switch {
	case begins(data, proxyV1):
		return parseProxyV1(data)
	case begins(data, proxyV2):
		return parseProxyV2(data)
	}
	return from, -1, nil
}

// begins reports whether data begins like s, as far as it goes.
func begins(data []byte, s string) bool {
	n := min(len(data), len(s))
	return string(data[:n]) == s[:n]
}

func parseProxyV1(data []byte) (from origin, n int, err error) {
	i := bytes.IndexByte(data, '\n')
	if i < 0 {
		if len(data) >= maxProxyV1 {
			err = errProxyHeader
		}
		return from, 0, err
	}
	line, ok := strings.CutSuffix(string(data[:i+1]), "\r\n")
	part := strings.Split(line, " ")
	switch {
	case !ok || i >= maxProxyV1:
		return from, 0, errProxyHeader
	case part[1] == "UNKNOWN":
		return from, i + 1, nil
	case len(part) != 6 || part[1] != "TCP4" && part[1] != "TCP6":
		return from, 0, errProxyHeader
	}
	peer, err := netip.ParseAddr(part[2])
	if err != nil || peer.Is4() != (part[1] == "TCP4") {
		return from, 0, errProxyHeader
	}
	from.peer = peer.Unmap().WithZone("")
	return from, i + 1, nil
}

func parseProxyV2(data []byte) (from origin, n int, err error) {
	if len(data) < proxyV2Len {
		return from, 0, nil
	}
	n = proxyV2Len + int(binary.BigEndian.Uint16(data[14:]))
	if data[12]>>4 != 2 || n > maxProxyV2 {
		return from, 0, errProxyHeader
	}
	if len(data) < n {
		return from, 0, nil
	}
	rest := data[proxyV2Len:n]
	switch command, family := data[12]&15, data[13]; {
	case command == 0: // the proxy's own health check
		return from, n, nil
	case command != 1:
		return from, 0, errProxyHeader
	case family == 0x11 && len(rest) >= 12:
		from = origin{netip.AddrFrom4([4]byte(rest)), cameByTLS(rest[12:])}
	case family == 0x21 && len(rest) >= 36:
		from = origin{netip.AddrFrom16([16]byte(rest)).Unmap(), cameByTLS(rest[36:])}
	case family == 0x11, family == 0x21:
		return from, 0, errProxyHeader
	}
	return from, n, nil
}

// cameByTLS looks through what follows the addresses, each a type, a length of two bytes
// and a value, for what the proxy says of TLS: its first bit is whether there was any.
func cameByTLS(rest []byte) bool {
	const typeSSL, clientSSL = 0x20, 1
	for len(rest) >= 3 {
		size := 3 + int(binary.BigEndian.Uint16(rest[1:]))
		if size > len(rest) {
			return false
		}
		if rest[0] == typeSSL && size > 3 {
			return rest[3]&clientSSL != 0
		}
		rest = rest[size:]
	}
	return false
}
