package config

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/nano-runtime/nano/vhost"
)

// An EgressRule lets an app's fetch reach something beyond public addresses.
// Either Prefix is valid, or Host is set.
type EgressRule struct {
	Prefix netip.Prefix // addresses; never in the form of IPv4 mapped into IPv6
	Host   string       // a canonical name; "localhost" stands for the loopback addresses
	Port   uint16       // 0: any
}

// Allows reports whether the rule lets a connection be made to addr for a URL
// whose host, in its canonical form, is host.
func (r EgressRule) Allows(host string, addr netip.AddrPort) bool {
	ip := addr.Addr().Unmap().WithZone("")
	switch {
	case r.Port != 0 && r.Port != addr.Port():
		return false
	case r.Prefix.IsValid():
		return r.Prefix.Contains(ip)
	case r.Host == "localhost":
		return ip.IsLoopback()
	default:
		return r.Host != "" && r.Host == host
	}
}

// String returns the rule as a configuration writes it.
func (r EgressRule) String() string {
	what := r.Host
	if r.Prefix.IsValid() {
		what = r.Prefix.String()
		if r.Prefix.IsSingleIP() {
			what = r.Prefix.Addr().String()
			if r.Port != 0 && r.Prefix.Addr().Is6() {
				what = "[" + what + "]"
			}
		}
	}
	if r.Port == 0 {
		return what
	}
	return what + ":" + strconv.Itoa(int(r.Port))
}

// parseEgress reads a rule. Its error says what would be right.
func parseEgress(s string) (EgressRule, error) {
	const forms = `"10.0.0.0/8", "192.168.1.5", "localhost" or "api.internal:8443"`
	switch {
	case s == "":
		return EgressRule{}, errors.New("it is empty; write " + forms)
	case strings.Contains(s, "://"):
		return EgressRule{}, errors.New("it is a URL; write host and port alone, such as " + forms)
	case strings.Contains(s, "*"):
		return EgressRule{}, errors.New("there are no wildcards here; write the addresses as a network such as \"10.0.0.0/8\", or each name")
	case strings.Contains(s, "/"):
		prefix, err := parsePrefix(s)
		return EgressRule{Prefix: prefix}, err
	}
	if addr, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(s, "["), "]")); err == nil {
		return addressRule(addr, 0)
	}
	if addr, err := netip.ParseAddrPort(s); err == nil {
		if addr.Port() == 0 {
			return EgressRule{}, errors.New("no service has port 0; leave the port out for all ports")
		}
		return addressRule(addr.Addr(), addr.Port())
	}
	name, port, hasPort := strings.Cut(s, ":")
	var number uint64
	if hasPort {
		var err error
		if number, err = strconv.ParseUint(port, 10, 16); err != nil || number == 0 {
			return EgressRule{}, fmt.Errorf("%q is no port; write a number from 1 to 65535, or leave it out for all ports", port)
		}
	}
	host, err := vhost.Normalize(name)
	if err != nil {
		return EgressRule{}, fmt.Errorf("it is neither a network, nor an address, nor a host; write %s", forms)
	}
	return EgressRule{Host: host, Port: uint16(number)}, nil
}

func addressRule(addr netip.Addr, port uint16) (EgressRule, error) {
	if addr.Zone() != "" {
		return EgressRule{}, errors.New("an address has no zone here; leave out the % and what follows")
	}
	addr = addr.Unmap()
	return EgressRule{Prefix: netip.PrefixFrom(addr, addr.BitLen()), Port: port}, nil
}

// parsePrefix reads a network such as "10.0.0.0/8".
func parsePrefix(s string) (netip.Prefix, error) {
	prefix, err := netip.ParsePrefix(s)
	if err != nil {
		return netip.Prefix{}, errors.New(`it is no network; write address/bits, such as "10.0.0.0/8" or "fd00::/8"`)
	}
	if addr := prefix.Addr(); addr.Is4In6() {
		if prefix.Bits() < 96 {
			return netip.Prefix{}, errors.New("it holds more than the IPv4 addresses; write an IPv4 or an IPv6 network")
		}
		prefix = netip.PrefixFrom(addr.Unmap(), prefix.Bits()-96)
	}
	if prefix != prefix.Masked() {
		return netip.Prefix{}, fmt.Errorf("the address has bits beyond its network; write %q", prefix.Masked().String())
	}
	return prefix, nil
}

// parseProxy reads an entry of trusted_proxies: a network, an address, or "unix" for
// whoever comes through a unix socket, which is the zero network.
func parseProxy(s string) (netip.Prefix, error) {
	if s == "unix" {
		return netip.Prefix{}, nil
	}
	if strings.Contains(s, "/") {
		return parsePrefix(s)
	}
	addr, err := netip.ParseAddr(s)
	if err != nil || addr.Zone() != "" {
		return netip.Prefix{}, errors.New(`it is no address; write one such as "127.0.0.1", a network such as "10.0.0.0/8", or "unix" for unix sockets`)
	}
	addr = addr.Unmap()
	return netip.PrefixFrom(addr, addr.BitLen()), nil
}
