package webapi

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"syscall"
	"time"
)

const (
	connectTimeout   = 10 * time.Second
	keepAliveTimeout = 30 * time.Second
)

// egress decides where an app's connections may go: public addresses, and what its configuration allows beyond. It
// judges the address that is about to be connected to, so that no name, redirect or second look at the DNS gets by.
type egress struct {
	// allows reports whether the app's configuration lets a connection be made to addr for a URL with that host.
	allows func(host string, addr netip.AddrPort) bool
}

// errBlocked says that an address may not be reached. It doesn't name the address: what a private name stands for is
// not the app's business.
type errBlocked struct{ host string }

func (e *errBlocked) Error() string {
	return fmt.Sprintf("%s is not a public address, and the app's configuration doesn't allow it (egress)", e.host)
}

// dial connects to the host and port of a URL.
func (e egress) dial(ctx context.Context, network, address string) (net.Conn, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	d := net.Dialer{
		Timeout:   connectTimeout,
		KeepAlive: keepAliveTimeout,
		// Control runs for every address that is tried, after the name was resolved and before anything is sent.
		Control: func(_, resolved string, _ syscall.RawConn) error {
			addr, err := netip.ParseAddrPort(resolved)
			if err != nil {
				return err
			}
			if isPublic(addr.Addr()) || e.allows(strings.TrimSuffix(host, "."), addr) {
				return nil
			}
			return &errBlocked{host}
		},
	}
	return d.DialContext(ctx, network, address)
}

// Address blocks that aren't on the public internet: IANA's special-purpose registries, as of 2025.
var (
	notPublic4 = prefixes(
		"0.0.0.0/8",       // this network
		"10.0.0.0/8",      // private
		"100.64.0.0/10",   // carriers' NAT
		"127.0.0.0/8",     // loopback
		"169.254.0.0/16",  // link-local, where clouds keep their metadata
		"172.16.0.0/12",   // private
		"192.0.0.0/24",    // protocol assignments
		"192.0.2.0/24",    // documentation
		"192.88.99.0/24",  // 6to4 relays
		"192.168.0.0/16",  // private
		"198.18.0.0/15",   // benchmarks
		"198.51.100.0/24", // documentation
		"203.0.113.0/24",  // documentation
		"224.0.0.0/4",     // multicast
		"240.0.0.0/4",     // reserved, broadcast
	)
	public6    = netip.MustParsePrefix("2000::/3") // what isn't in here isn't public
	notPublic6 = prefixes(
		"2001::/23",     // protocol assignments, Teredo
		"2001:db8::/32", // documentation
		"3fff::/20",     // documentation
	)
	// IPv6 addresses that carry an IPv4 address are as public as that.
	nat64  = netip.MustParsePrefix("64:ff9b::/96")
	sixTo4 = netip.MustParsePrefix("2002::/16")
)

func prefixes(texts ...string) []netip.Prefix {
	list := make([]netip.Prefix, len(texts))
	for i, text := range texts {
		list[i] = netip.MustParsePrefix(text)
	}
	return list
}

// isPublic reports whether an address is on the public internet, whichever way it is written.
func isPublic(addr netip.Addr) bool {
	addr = addr.Unmap().WithZone("")
	if addr.Is4() {
		return !within(addr, notPublic4)
	}
	bytes := addr.As16()
	switch {
	case nat64.Contains(addr):
		return isPublic(netip.AddrFrom4([4]byte(bytes[12:16])))
	case sixTo4.Contains(addr):
		return isPublic(netip.AddrFrom4([4]byte(bytes[2:6])))
	}
	return public6.Contains(addr) && !within(addr, notPublic6)
}

func within(addr netip.Addr, list []netip.Prefix) bool {
	for _, prefix := range list {
		if prefix.Contains(addr) {
			return true
		}
	}
	return false
}
