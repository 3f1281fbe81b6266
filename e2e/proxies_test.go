//go:build e2e

package e2e

import (
	"encoding/json"
	"os"
	"testing"
	"time"
)

const mirror = `export default {
  fetch(request) {
    return Response.json({ url: request.url, client: request.headers.get("x-forwarded-for") });
  },
};
`

// frontProxies are the snippets of contrib/, each as its program is made to read it.
var frontProxies = map[string]struct{ pack, file, put, check, start string }{
	"nginx": {
		pack: "nginx-light", file: "nginx.conf", put: "/etc/nginx/conf.d/nano.conf",
		check: "nginx -t", start: "systemctl restart nginx",
	},
	"haproxy": {
		pack: "haproxy", file: "haproxy.cfg", put: "/etc/haproxy/haproxy.cfg",
		check: "haproxy -c -f /etc/haproxy/haproxy.cfg", start: "systemctl restart haproxy",
	},
	"caddy": {
		pack: "caddy", file: "Caddyfile", put: "/etc/caddy/Caddyfile",
		check: "caddy validate --adapter caddyfile --config /etc/caddy/Caddyfile", start: "systemctl restart caddy",
	},
}

// Behind each of the proxies an app sees the client's address, scheme and host.
func TestFrontProxies(t *testing.T) {
	eachSuite(t, func(t *testing.T, suite string) {
		for name, proxy := range frontProxies {
			t.Run(name, func(t *testing.T) {
				m := boot(t, suite)
				m.installNano()
				// As the snippets say.
				m.write("/etc/systemd/system/nano.socket.d/behind.conf", "[Socket]\nListenStream=\nListenStream=127.0.0.1:8080\n")
				m.write("/etc/nano/nano.toml", "[server]\ntrusted_proxies = [\"127.0.0.1\", \"::1\"]\n")
				m.write("/srv/mirror/index.js", mirror)
				m.write("/etc/nano/apps.d/mirror.toml", "[apps.mirror]\nhosts = [\"example.com\"]\nroot = \"/srv/mirror\"\n")
				m.run("systemctl daemon-reload && systemctl restart nano.socket")

				m.run("mkdir -p /etc/ssl/example.com && cd /etc/ssl/example.com && " +
					"openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=example.com -keyout privkey.pem -out fullchain.pem 2>&1 && " +
					"cat fullchain.pem privkey.pem > haproxy.pem && chmod 644 *.pem")
				m.install(proxy.pack)
				snippet, err := os.ReadFile("../contrib/" + proxy.file)
				if err != nil {
					t.Fatal(err)
				}
				text := string(snippet)
				if name == "caddy" {
					// There is nobody here to get a certificate from.
					text = "{\n\tlocal_certs\n\tskip_install_trust\n}\n" + text
				}
				m.write(proxy.put, text)
				m.run(proxy.check)
				m.run(proxy.start)

				// The client has an address of its own, so that it isn't a proxy's.
				m.run("ip address add 192.0.2.10/32 dev lo")
				var body string
				eventually(t, 20*time.Second, func() string {
					got := m.try("curl -sS -k --fail --max-time 5 --interface 192.0.2.10 --resolve example.com:443:192.0.2.10 " +
						"-H 'X-Forwarded-For: 198.51.100.1' 'https://example.com/a?b=c'")
					if body = got.out; got.code != 0 {
						return got.out
					}
					return ""
				})
				var seen struct{ URL, Client string }
				if err := json.Unmarshal([]byte(body), &seen); err != nil {
					t.Fatalf("%v: %s", err, body)
				}
				if seen.URL != "https://example.com/a?b=c" || seen.Client != "192.0.2.10" {
					t.Errorf("the app saw %+v", seen)
				}
			})
		}
	})
}
