package stack

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// nginxCommand configures nginx as Debian does, with a server for each app,
// connections to the apps that are kept, and no access log.
func nginxCommand(t Tools, spec Spec, s *Stack, backends []command) (command, error) {
	var b strings.Builder
	user := ""
	if os.Getuid() == 0 {
		user = "user root;\n" // the scratch folder is root's
	}
	fmt.Fprintf(&b, `%sworker_processes auto;
daemon off;
pid nginx.pid;
error_log stderr warn;
events { worker_connections 4096; }
http {
  types {
    text/html html;
    text/css css;
    text/javascript js;
    image/svg+xml svg;
  }
  default_type application/octet-stream;
  sendfile on;
  tcp_nopush on;
  access_log off;
  keepalive_requests 1000000;
  server_names_hash_max_size 8192;
  server_names_hash_bucket_size 128;
  client_body_temp_path body;
  proxy_temp_path proxy;
  fastcgi_temp_path fastcgi;
  uwsgi_temp_path uwsgi;
  scgi_temp_path scgi;
  proxy_http_version 1.1;
  proxy_set_header Connection "";
  proxy_set_header Host $host;
  proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
  proxy_set_header X-Forwarded-Proto $scheme;
`, user)
	for i, app := range spec.Apps {
		fmt.Fprintf(&b, "  upstream app%d { server %s; keepalive 64; keepalive_requests 1000000; }\n", i, loopback(backends[i].port))
		fmt.Fprintf(&b, "  server {\n    listen %s;\n    server_name %s;\n", s.Addr, app.Host)
		proxy := fmt.Sprintf("proxy_pass http://app%d;", i)
		if app.Assets == "" {
			fmt.Fprintf(&b, "    location / { %s }\n  }\n", proxy)
		} else {
			fmt.Fprintf(&b, "    root %s;\n    location / { try_files $uri @app; }\n    location @app { %s }\n  }\n", app.Assets, proxy)
		}
	}
	b.WriteString("}\n")
	path := filepath.Join(spec.Dir, "nginx.conf")
	if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
		return command{}, err
	}
	return command{name: "nginx", args: []string{t.Nginx, "-p", spec.Dir, "-c", path, "-e", "stderr"}, dir: spec.Dir}, nil
}

// caddyCommand configures Caddy with a site for each app, and neither
// certificates nor its admin API.
func caddyCommand(t Tools, spec Spec, s *Stack, backends []command) (command, error) {
	var b strings.Builder
	b.WriteString("{\n\tadmin off\n\tauto_https off\n}\n")
	for i, app := range spec.Apps {
		fmt.Fprintf(&b, "http://%s:%d {\n\tbind 127.0.0.1\n", app.Host, s.Addr.Port())
		proxy := fmt.Sprintf("reverse_proxy %s", loopback(backends[i].port))
		if app.Assets == "" {
			fmt.Fprintf(&b, "\t%s\n}\n", proxy)
		} else {
			fmt.Fprintf(&b, "\troot * %s\n\t@file file\n\thandle @file {\n\t\tfile_server\n\t}\n\thandle {\n\t\t%s\n\t}\n}\n", app.Assets, proxy)
		}
	}
	path := filepath.Join(spec.Dir, "Caddyfile")
	if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
		return command{}, err
	}
	return command{
		name: "caddy", args: []string{t.Caddy, "run", "--config", path, "--adapter", "caddyfile"},
		env: []string{"XDG_DATA_HOME=" + spec.Dir, "XDG_CONFIG_HOME=" + spec.Dir}, dir: spec.Dir,
	}, nil
}
