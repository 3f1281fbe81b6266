package webapi

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"testing"

	"github.com/nano-runtime/nano/internal/await"
)

func TestIsPublic(t *testing.T) {
	tests := []struct {
		addr string
		want bool
	}{
		{"93.184.216.34", true},
		{"1.1.1.1", true},
		{"100.63.255.255", true},
		{"100.128.0.0", true},
		{"172.15.0.1", true},
		{"172.32.0.1", true},
		{"192.0.1.1", true},
		{"198.17.0.1", true},
		{"223.255.255.255", true},

		{"0.0.0.0", false},
		{"0.1.2.3", false},
		{"10.0.0.1", false},
		{"100.64.0.1", false},
		{"100.127.255.255", false},
		{"127.0.0.1", false},
		{"127.255.255.254", false},
		{"169.254.169.254", false},
		{"172.16.0.1", false},
		{"172.31.255.255", false},
		{"192.0.0.8", false},
		{"192.0.2.1", false},
		{"192.88.99.1", false},
		{"192.168.1.1", false},
		{"198.18.0.1", false},
		{"198.19.255.255", false},
		{"198.51.100.1", false},
		{"203.0.113.1", false},
		{"224.0.0.1", false},
		{"239.255.255.255", false},
		{"240.0.0.1", false},
		{"255.255.255.255", false},

		{"2606:4700::1111", true},
		{"2a00:1450:4001::1", true},
		{"2001:200::1", true},
		{"2400::%eth0", true},

		{"::", false},
		{"::1", false},
		{"::127.0.0.1", false}, // IPv4-compatible, long gone
		{"fe80::1", false},
		{"fe80::1%eth0", false},
		{"fec0::1", false},
		{"fc00::1", false},
		{"fd00:ec2::254", false},
		{"ff02::1", false},
		{"100::1", false},
		{"2001::1", false},
		{"2001:2::1", false},
		{"2001:10::1", false},
		{"2001:db8::1", false},
		{"3fff::1", false},
		{"5f00::1", false},

		{"::ffff:1.1.1.1", true},
		{"::ffff:127.0.0.1", false},
		{"::ffff:7f00:1", false},
		{"::ffff:10.1.2.3", false},
		{"::ffff:0.0.0.0", false},
		{"::ffff:169.254.169.254", false},
		{"::ffff:0:127.0.0.1", false}, // stateless translation
		{"64:ff9b::1.1.1.1", true},
		{"64:ff9b::7f00:1", false},
		{"64:ff9b::10.0.0.1", false},
		{"64:ff9b:1::1.1.1.1", false},
		{"2002:0101:0101::", true},
		{"2002:7f00:1::", false},
		{"2002:c0a8:0101::1", false},
		{"2002:a9fe:a9fe::", false},
	}
	for _, test := range tests {
		if got := isPublic(netip.MustParseAddr(test.addr)); got != test.want {
			t.Errorf("isPublic(%s) = %v", test.addr, got)
		}
	}
}

// What is dialed is judged by the address that it turns out to be, however it was written.
func TestDial(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			conn.Close()
		}
	}()
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	here := netip.MustParseAddrPort(listener.Addr().String())

	tests := []struct {
		name, host string
		allows     func(string, netip.AddrPort) bool
		want       bool
	}{
		{"loopback", "127.0.0.1", nowhere, false},
		{"name", "localhost", nowhere, false},
		{"short", "127.1", nowhere, false},
		{"decimal", "2130706433", nowhere, false},
		{"hexadecimal", "0x7f000001", nowhere, false},
		{"octal", "0177.0.0.1", nowhere, false},
		{"this host", "0.0.0.0", nowhere, false},
		{"this host, IPv6", "::", nowhere, false},
		{"mapped", "::ffff:127.0.0.1", nowhere, false},
		{"allowed", "127.0.0.1", anywhere, true},
		{"allowed name", "localhost", func(host string, _ netip.AddrPort) bool { return host == "localhost" }, true},
		{"allowed name, other host", "127.0.0.1", func(host string, _ netip.AddrPort) bool { return host == "localhost" }, false},
		{"allowed port", "127.0.0.1", func(_ string, a netip.AddrPort) bool { return a == here }, true},
		{"other port", "127.0.0.1", func(_ string, a netip.AddrPort) bool { return a.Port() == here.Port()+1 }, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(context.Background(), await.Deadline)
			defer cancel()
			conn, err := egress{test.allows}.dial(ctx, "tcp", net.JoinHostPort(test.host, port))
			if conn != nil {
				conn.Close()
			}
			if (err == nil) != test.want {
				t.Fatalf("got error %v, want a connection: %v", err, test.want)
			}
			var blocked *errBlocked
			var unknown *net.DNSError // some of the forms are no address to Go, and no host either
			if err != nil && !errors.As(err, &blocked) && !errors.As(err, &unknown) {
				t.Errorf("got error %v", err)
			}
		})
	}
}
