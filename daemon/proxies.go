package daemon

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/nano-runtime/nano/daemon/http1"
)

// maxHops bounds how many proxies a request is followed through.
const maxHops = 32

// trust says which peers are believed when they speak for their clients.
type trust struct {
	nets []netip.Prefix
	unix bool // peers on a unix socket
}

func (t *trust) believes(peer netip.Addr) bool {
	if !peer.IsValid() {
		return t.unix
	}
	for _, n := range t.nets {
		if n.Contains(peer) {
			return true
		}
	}
	return false
}

// claims are the fields by which proxies say what they know of the client. They never
// reach an app: it gets what came of them.
type claims struct {
	forwardedFor   string // X-Forwarded-For, more than one field joined by commas
	forwardedProto string
	forwardedHost  string
	forwarded      string // RFC 7239
	requestID      string
}

// isClaim reports whether a field is a claim, by its name in lower case. Those that
// nobody reads here are claims nonetheless: an app that believes them would be fooled
// by any client.
func isClaim[T string | []byte](name T) bool {
	switch string(name) {
	case "forwarded", "x-request-id", "x-real-ip":
		return true
	}
	const prefix = "x-forwarded-"
	return len(name) > len(prefix) && string(name[:len(prefix)]) == prefix
}

// take keeps the value of a claim.
func (c *claims) take(name, value string) {
	switch name {
	case "x-forwarded-for":
		join(&c.forwardedFor, value)
	case "x-forwarded-proto":
		join(&c.forwardedProto, value)
	case "x-forwarded-host":
		join(&c.forwardedHost, value)
	case "forwarded":
		join(&c.forwarded, value)
	case "x-request-id":
		c.requestID = value
	}
}

func join(list *string, value string) {
	if *list != "" {
		value = *list + "," + value
	}
	*list = value
}

// resolve fills in what a trusted peer's claims make of x, which holds what the
// connection itself says. Where both X-Forwarded-For and Forwarded are there, the
// first counts: it is what proxies set, the other what they let through.
func (t *trust) resolve(x *Exchange, c *claims) {
	if !t.believes(x.Client) {
		return
	}
	if validID(c.requestID) {
		x.ID = c.requestID
	}
	if c.forwardedFor == "" && c.forwarded != "" {
		t.resolveForwarded(x, c.forwarded)
		return
	}
	hop := t.follow(x, fromRight(c.forwardedFor), parseNode)
	setScheme(x, pick(c.forwardedProto, hop))
	setHost(x, pick(c.forwardedHost, hop))
}

// follow walks a list of hops, the nearest first, up to the first that isn't trusted:
// that is the client, and whatever is beyond it the client made up. It returns how
// many hops away the client is.
func (t *trust) follow(x *Exchange, hops []string, parse func(string) (netip.Addr, bool)) int {
	for i, hop := range hops {
		addr, ok := parse(hop)
		if !ok {
			return max(i-1, 0)
		}
		x.Client = addr
		if !t.believes(addr) {
			return i
		}
	}
	return max(len(hops)-1, 0)
}

// fromRight splits a comma-separated list, the last item first.
func fromRight(list string) []string {
	if list == "" {
		return nil
	}
	var items []string
	for len(items) < maxHops {
		i := strings.LastIndexByte(list, ',')
		if item := strings.Trim(list[i+1:], " \t"); item != "" {
			items = append(items, item)
		}
		if i < 0 {
			break
		}
		list = list[:i]
	}
	return items
}

// pick is the item that the hop with that distance saw. A list that is shorter was not
// added to by every proxy on the way: then the farthest one knows best.
func pick(list string, hop int) string {
	items := fromRight(list)
	if len(items) == 0 {
		return ""
	}
	return items[min(hop, len(items)-1)]
}

func schemeOf(secure bool) string {
	if secure {
		return "https"
	}
	return "http"
}

func setScheme(x *Exchange, proto string) {
	switch strings.ToLower(proto) {
	case "http", "ws":
		x.Scheme = "http"
	case "https", "wss":
		x.Scheme = "https"
	}
}

func setHost(x *Exchange, host string) {
	if http1.IsHost(host) {
		x.Host = host
	}
}

// parseNode reads an address with or without a port, as proxies write it.
func parseNode(node string) (netip.Addr, bool) {
	if ap, err := netip.ParseAddrPort(node); err == nil {
		return ap.Addr().Unmap().WithZone(""), true
	}
	if len(node) > 2 && node[0] == '[' && node[len(node)-1] == ']' {
		node = node[1 : len(node)-1]
	}
	addr, err := netip.ParseAddr(node)
	return addr.Unmap().WithZone(""), err == nil
}

// element is one hop of a Forwarded header.
type element struct{ node, proto, host string }

func (t *trust) resolveForwarded(x *Exchange, header string) {
	elements, ok := parseForwarded(header)
	if !ok || len(elements) == 0 {
		return
	}
	nodes := make([]string, len(elements))
	for i, e := range elements {
		nodes[i] = e.node
	}
	hop := t.follow(x, nodes, parseNode)
	// Proxies leave out what the one before them has said.
	for i := hop; i >= 0; i-- {
		if elements[i].proto != "" {
			setScheme(x, elements[i].proto)
			break
		}
	}
	for i := hop; i >= 0; i-- {
		if elements[i].host != "" {
			setHost(x, elements[i].host)
			break
		}
	}
}

// parseForwarded reads a Forwarded header, the nearest hop first. One that isn't well
// formed says nothing.
func parseForwarded(s string) ([]element, bool) {
	var list []element
	var e element
	for {
		s = strings.TrimLeft(s, " \t")
		name, rest, ok := cutToken(s)
		if ok {
			if rest == "" || rest[0] != '=' {
				return nil, false
			}
			var value string
			if value, rest, ok = cutValue(rest[1:]); !ok {
				return nil, false
			}
			switch strings.ToLower(name) {
			case "for":
				e.node = value
			case "proto":
				e.proto = value
			case "host":
				e.host = value
			}
		}
		s = strings.TrimLeft(rest, " \t")
		switch {
		case s == "" || s[0] == ',':
			if e != (element{}) {
				list = append(list, e)
				e = element{}
			}
			if s == "" {
				slices.Reverse(list)
				return list[:min(len(list), maxHops)], true
			}
		case s[0] != ';':
			return nil, false
		}
		s = s[1:]
	}
}

func cutToken(s string) (token, rest string, ok bool) {
	i := 0
	for i < len(s) && http1.IsToken(s[i:i+1]) {
		i++
	}
	return s[:i], s[i:], i > 0
}

func cutValue(s string) (value, rest string, ok bool) {
	if s == "" || s[0] != '"' {
		// Many write addresses with colons and brackets without the quotes that
		// the standard wants.
		i := strings.IndexAny(s, ";, \t\"")
		if i < 0 {
			i = len(s)
		}
		return s[:i], s[i:], i > 0
	}
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '"':
			return b.String(), s[i+1:], true
		case '\\':
			if i++; i == len(s) {
				return "", "", false
			}
		}
		b.WriteByte(s[i])
	}
	return "", "", false
}
