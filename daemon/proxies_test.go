package daemon

import (
	"encoding/binary"
	"net/netip"
	"strings"
	"testing"
)

func trusting(nets ...string) *trust {
	t := &trust{unix: true}
	for _, n := range nets {
		t.nets = append(t.nets, netip.MustParsePrefix(n))
	}
	return t
}

func TestResolve(t *testing.T) {
	believed := trusting("10.0.0.0/8", "fd00::/8")
	tests := []struct {
		name                        string
		peer                        string // "" is a unix socket
		claims                      claims
		wantClient, wantURL, wantID string
	}{
		{"stranger", "1.2.3.4", claims{forwardedFor: "5.6.7.8", forwardedProto: "https", forwardedHost: "evil", requestID: "x"}, "1.2.3.4", "http://a", ""},
		{"nothing said", "10.0.0.1", claims{}, "10.0.0.1", "http://a", ""},
		{"one proxy", "10.0.0.1", claims{forwardedFor: "5.6.7.8", forwardedProto: "https", forwardedHost: "b:8", requestID: "abc-1"}, "5.6.7.8", "https://b:8", "abc-1"},
		{"unix socket", "", claims{forwardedFor: "5.6.7.8", forwardedProto: "HTTPS"}, "5.6.7.8", "https://a", ""},
		{"invented hops", "10.0.0.1", claims{forwardedFor: "6.6.6.6, 10.0.0.9,5.6.7.8"}, "5.6.7.8", "http://a", ""},
		{"two proxies", "10.0.0.1", claims{forwardedFor: "6.6.6.6, 5.6.7.8 , 10.0.0.2", forwardedProto: "gopher, https, http", forwardedHost: "x, b, c"}, "5.6.7.8", "https://b", ""},
		{"two proxies, one scheme", "10.0.0.1", claims{forwardedFor: "5.6.7.8, 10.0.0.2", forwardedProto: "https"}, "5.6.7.8", "https://a", ""},
		{"only proxies", "10.0.0.1", claims{forwardedFor: "10.0.0.3, 10.0.0.2"}, "10.0.0.3", "http://a", ""},
		{"not an address", "10.0.0.1", claims{forwardedFor: "5.6.7.8, unknown, 10.0.0.2"}, "10.0.0.2", "http://a", ""},
		{"not an address at once", "10.0.0.1", claims{forwardedFor: "<script>"}, "10.0.0.1", "http://a", ""},
		{"port", "10.0.0.1", claims{forwardedFor: "5.6.7.8:1234"}, "5.6.7.8", "http://a", ""},
		{"IPv6", "fd00::1", claims{forwardedFor: "2001:db8::1"}, "2001:db8::1", "http://a", ""},
		{"IPv6 with a port", "fd00::1", claims{forwardedFor: "[2001:db8::1]:99"}, "2001:db8::1", "http://a", ""},
		{"IPv6 in brackets", "fd00::1", claims{forwardedFor: "[2001:db8::1]"}, "2001:db8::1", "http://a", ""},
		{"IPv4 in IPv6", "10.0.0.1", claims{forwardedFor: "5.6.7.8, ::ffff:10.0.0.2"}, "5.6.7.8", "http://a", ""},
		{"empty items", "10.0.0.1", claims{forwardedFor: ", ,5.6.7.8,,"}, "5.6.7.8", "http://a", ""},
		{"other scheme", "10.0.0.1", claims{forwardedProto: "javascript"}, "10.0.0.1", "http://a", ""},
		{"WebSocket scheme", "10.0.0.1", claims{forwardedProto: "wss"}, "10.0.0.1", "https://a", ""},
		{"malformed host", "10.0.0.1", claims{forwardedHost: "b/c"}, "10.0.0.1", "http://a", ""},
		{"malformed id", "10.0.0.1", claims{requestID: "a b"}, "10.0.0.1", "http://a", ""},
		{"long id", "10.0.0.1", claims{requestID: strings.Repeat("a", 129)}, "10.0.0.1", "http://a", ""},
		{"endless hops", "10.0.0.1", claims{forwardedFor: "5.6.7.8," + strings.Repeat("10.0.0.2,", 100)}, "10.0.0.2", "http://a", ""},
		{"Forwarded", "10.0.0.1", claims{forwarded: `for=5.6.7.8;proto=https;host="b:8";by=10.0.0.1`}, "5.6.7.8", "https://b:8", ""},
		{"Forwarded by two", "10.0.0.1", claims{forwarded: `for=6.6.6.6, For="[2001:db8::1]:44";Proto=HTTPS , for=10.0.0.2;host=b`}, "2001:db8::1", "https://b", ""},
		{"Forwarded, hidden", "10.0.0.1", claims{forwarded: `for=_hidden;proto=https`}, "10.0.0.1", "https://a", ""},
		{"Forwarded, malformed", "10.0.0.1", claims{forwarded: `for=5.6.7.8;proto`}, "10.0.0.1", "http://a", ""},
		{"Forwarded, no end", "10.0.0.1", claims{forwarded: `for="5.6.7.8`}, "10.0.0.1", "http://a", ""},
		{"Forwarded, quoted pair", "10.0.0.1", claims{forwarded: `for="5.6.\7.8"`}, "5.6.7.8", "http://a", ""},
		{"both", "10.0.0.1", claims{forwardedFor: "5.6.7.8", forwarded: "for=6.6.6.6;proto=https"}, "5.6.7.8", "http://a", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			x := &Exchange{Scheme: "http", Host: "a"}
			if tt.peer != "" {
				x.Client = netip.MustParseAddr(tt.peer)
			}
			believed.resolve(x, &tt.claims)
			if got := x.Client.String(); got != tt.wantClient {
				t.Errorf("client: got %s, want %s", got, tt.wantClient)
			}
			if got := x.Scheme + "://" + x.Host; got != tt.wantURL {
				t.Errorf("URL: got %s, want %s", got, tt.wantURL)
			}
			if x.ID != tt.wantID {
				t.Errorf("id: got %q, want %q", x.ID, tt.wantID)
			}
		})
	}
}

// The client is the peer or an address that a chain of trusted ones has named.
func FuzzResolve(f *testing.F) {
	f.Add("1.2.3.4, 10.0.0.1", `for=1.2.3.4;proto=https, for="[::1]:2"`, "https", "a:80")
	f.Add("", `for="a\"b";host=`, "http, https", "")
	believed := trusting("10.0.0.0/8")
	f.Fuzz(func(t *testing.T, forwardedFor, forwarded, proto, host string) {
		peer := netip.MustParseAddr("10.0.0.1")
		x := &Exchange{Scheme: "http", Host: "a", Client: peer}
		believed.resolve(x, &claims{forwardedFor: forwardedFor, forwarded: forwarded, forwardedProto: proto, forwardedHost: host})
		if x.Scheme != "http" && x.Scheme != "https" {
			t.Errorf("scheme %q", x.Scheme)
		}
		if x.Host == "" || strings.ContainsAny(x.Host, "/@ \r\n\x00") {
			t.Errorf("host %q", x.Host)
		}
		if !x.Client.IsValid() || x.Client.Is4In6() || x.Client.Zone() != "" {
			t.Errorf("client %v", x.Client)
		}
		stranger := &Exchange{Scheme: "http", Host: "a", Client: netip.MustParseAddr("1.1.1.1")}
		believed.resolve(stranger, &claims{forwardedFor: forwardedFor, forwarded: forwarded, forwardedProto: proto, forwardedHost: host})
		if stranger.Scheme != "http" || stranger.Host != "a" || stranger.Client != netip.MustParseAddr("1.1.1.1") || stranger.ID != "" {
			t.Errorf("a stranger was believed: %+v", stranger)
		}
	})
}

func proxyHeaderV2(command, family byte, rest string) string {
	b := []byte(proxyV2)
	b = append(b, 0x20|command, family)
	b = binary.BigEndian.AppendUint16(b, uint16(len(rest)))
	return string(b) + rest
}

func TestProxyProtocol(t *testing.T) {
	const get = "GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 9.9.9.9\r\nConnection: close\r\n\r\n"
	_, addr := serveFront(t, FrontOptions{Handler: echo, TrustedProxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
	tests := []struct {
		name   string
		header string
		want   string // the client's address, "" for a refusal
	}{
		{"none", "", "9.9.9.9"},
		{"version 1", "PROXY TCP4 1.2.3.4 5.6.7.8 1 80\r\n", "1.2.3.4"},
		{"version 1, IPv6", "PROXY TCP6 2001:db8::1 ::1 1 80\r\n", "2001:db8::1"},
		{"version 1, unknown", "PROXY UNKNOWN whatever\r\n", "9.9.9.9"},
		{"version 1, another trusted one", "PROXY TCP4 127.0.0.9 5.6.7.8 1 80\r\n", "9.9.9.9"},
		{"version 1, wrong family", "PROXY TCP4 ::1 ::1 1 80\r\n", ""},
		{"version 1, no address", "PROXY TCP4\r\n", ""},
		{"version 1, no end", "PROXY TCP4 1.2.3.4 5.6.7.8 1 80" + strings.Repeat(" ", 100), ""},
		{"version 1, bare LF", "PROXY TCP4 1.2.3.4 5.6.7.8 1 80\n", ""},
		{"version 2", proxyHeaderV2(1, 0x11, "\x01\x02\x03\x04\x05\x06\x07\x08\x00\x01\x00\x50"), "1.2.3.4"},
		{"version 2 with more", proxyHeaderV2(1, 0x11, "\x01\x02\x03\x04\x05\x06\x07\x08\x00\x01\x00\x50\x04\x00\x03abc"), "1.2.3.4"},
		{"version 2, IPv6", proxyHeaderV2(1, 0x21, "\x20\x01\x0d\xb8"+strings.Repeat("\x00", 11)+"\x01"+strings.Repeat("\x00", 20)), "2001:db8::1"},
		{"version 2, local", proxyHeaderV2(0, 0, ""), "9.9.9.9"},
		{"version 2, unix", proxyHeaderV2(1, 0x31, strings.Repeat("x", 216)), "9.9.9.9"},
		{"version 2, short", proxyHeaderV2(1, 0x11, "\x01\x02"), ""},
		{"version 2, other command", proxyHeaderV2(7, 0x11, strings.Repeat("x", 12)), ""},
		{"version 2, huge", proxyHeaderV2(1, 0x11, strings.Repeat("x", 5000)), ""},
		{"version 3", proxyV2 + "\x31\x11\x00\x00", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			answer := talk(t, addr, tt.header+get)
			if tt.want == "" {
				if got := statuses(t, answer); len(got) != 1 || got[0] != 400 {
					t.Errorf("got %q, want a refusal", answer)
				}
				return
			}
			if !strings.Contains(answer, "\nx-forwarded-for\n"+tt.want+"\n") {
				t.Errorf("got %q, want %s in it", answer, tt.want)
			}
		})
	}
}

// A proxy that ends TLS says so in version 2 of the protocol, and the app's URLs are
// what the client used.
func TestProxyProtocolTellsOfTLS(t *testing.T) {
	const get = "GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-Proto: https\r\nConnection: close\r\n\r\n"
	const addresses = "\x01\x02\x03\x04\x05\x06\x07\x08\x00\x01\x00\x50"
	_, addr := serveFront(t, FrontOptions{Handler: echo, TrustedProxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
	tests := []struct{ name, rest, want string }{
		{"nothing", "", "http"},
		{"by TLS", "\x20\x00\x05\x01\x00\x00\x00\x00", "https"},
		{"after something else", "\x04\x00\x03abc\x20\x00\x05\x01\x00\x00\x00\x00", "https"},
		{"without TLS", "\x20\x00\x05\x00\x00\x00\x00\x00", "http"},
		{"empty", "\x20\x00\x00", "http"},
		{"longer than it is", "\x20\xff\xff\x01", "http"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			answer := talk(t, addr, proxyHeaderV2(1, 0x11, addresses+tt.rest)+get)
			if !strings.Contains(answer, "\nx-forwarded-proto\n"+tt.want+"\n") {
				t.Errorf("got %q, want %s in it", answer, tt.want)
			}
		})
	}
}

func FuzzProxyHeader(f *testing.F) {
	f.Add([]byte("PROXY TCP4 1.2.3.4 5.6.7.8 1 80\r\nrest"))
	f.Add([]byte(proxyHeaderV2(1, 0x11, strings.Repeat("x", 12))))
	f.Add([]byte("GET / HTTP/1.1\r\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		from, n, err := parseProxyHeader(data)
		if n > len(data) || err != nil && n > 0 {
			t.Errorf("%d of %d bytes, %v", n, len(data), err)
		}
		if n <= 0 && err == nil && from.peer.IsValid() {
			t.Errorf("a peer %v of no header", from.peer)
		}
		// What comes in parts is the same.
		for i := range min(n, len(data)) {
			if _, m, err := parseProxyHeader(data[:i]); m != 0 || err != nil {
				t.Fatalf("after %d of %d bytes: %d, %v", i, n, m, err)
			}
		}
	})
}
