package config

import (
	"errors"
	"fmt"
	"math"
	"net"
	"net/netip"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/nano-runtime/nano/vhost"
)

// The keys of each table, in the order in which messages list them.
var (
	topKeys    = []string{"server", "defaults", "apps"}
	serverKeys = []string{"listen", "admin", "log", "access_log", "drain_timeout", "watch", "trusted_proxies"}
	appKeys    = []string{"hosts", "root", "entry", "assets", "not_found", "default", "enabled", "env", "secrets", "egress", "idle", "limits"}
	limitKeys  = []string{"memory", "cpu", "timeout", "concurrency", "body", "isolates"}
)

// The ranges that limits are taken from; what is beyond is a slip of the hand.
const (
	minMemory, maxMemory   = 16 << 20, 2 << 30
	minBody, maxBody       = 1, 1 << 40
	minCPU, maxCPU         = time.Millisecond, 10 * time.Minute
	minTimeout, maxTimeout = time.Millisecond, 24 * time.Hour
	maxConcurrency         = 100_000
	maxIsolates            = 64
	minIdle, maxIdle       = time.Second, 365 * 24 * time.Hour
	maxDrainTimeout        = time.Hour
)

// maxSocketPath is the length in bytes that Linux has room for.
const maxSocketPath = 107

// serverSettings is what a [server] table gives.
type serverSettings struct {
	listen       setting[[]string]
	admin, log   setting[string]
	accessLog    setting[float64]
	drainTimeout setting[time.Duration]
	watch        setting[bool]
	proxies      setting[[]netip.Prefix]
}

func (d *decoder) server(n *node, dir string) (s serverSettings) {
	for _, m := range d.table(n, "server", "[server]") {
		v, key := m.value, "server."+m.key
		switch m.key {
		case "listen":
			s.listen = d.listen(v, key, dir)
		case "admin":
			s.admin = d.text(v, key, `"/run/nano/admin.sock"`)
			s.admin.value = absolute(dir, s.admin.value)
			if n := len(s.admin.value); s.admin.given && n > maxSocketPath {
				d.problem(v.at, "%s is a path of %d bytes; a unix socket's has at most %d", key, n, maxSocketPath)
			}
		case "log":
			s.log = d.choice(v, key, "auto", "journal", "json", "text")
		case "access_log":
			s.accessLog = parsed(d, v, key, `"all", "off" or a share such as "5%"`, parseAccessLog)
		case "drain_timeout":
			s.drainTimeout = d.duration(v, key, "30s", 0, maxDrainTimeout)
		case "watch":
			s.watch = d.boolean(v, key)
		case "trusted_proxies":
			s.proxies = parsedList(d, v, key, `["127.0.0.1", "10.0.0.0/8"]`, parseProxy)
		default:
			d.unknown(m, "[server]", serverKeys, map[string]string{
				"port":  `write listen = ["127.0.0.1:8080"]`,
				"host":  `write listen = ["127.0.0.1:8080"]`,
				"hosts": "hosts belong to an app: [apps.NAME]",
			})
		}
	}
	return s
}

func (d *decoder) listen(n *node, key, dir string) setting[[]string] {
	const example = `["127.0.0.1:8080"]`
	s := parsedList(d, n, key, example, func(s string) (string, error) {
		if path, ok := strings.CutPrefix(s, "unix:"); ok {
			return parseSocketPath(path, dir)
		}
		host, port, err := net.SplitHostPort(s)
		if err != nil {
			return "", errors.New(`write address:port, such as "127.0.0.1:8080", "[::1]:8080", or ":8080" for every address`)
		}
		if _, err := strconv.ParseUint(port, 10, 16); err != nil {
			return "", fmt.Errorf("%q is no port; write a number from 0 to 65535", port)
		}
		if addr, err := netip.ParseAddr(host); err == nil {
			host = addr.String()
		} else if host != "" {
			if host, err = vhost.Normalize(host); err != nil || strings.HasPrefix(host, "[") {
				return "", errors.New(`it has no address in front of the port; write one such as "127.0.0.1:8080", or ":8080" for every address`)
			}
		}
		return net.JoinHostPort(host, port), nil
	})
	if s.given && len(s.value) == 0 {
		d.problem(n.at, "%s is empty; write %s, or leave the line out", key, example)
	}
	return s
}

// parseSocketPath reads what follows "unix:": a path, or a name of Linux's own after "@".
func parseSocketPath(path, dir string) (string, error) {
	if path == "" || path == "@" {
		return "", errors.New(`it names no socket; write a path, such as "unix:/run/nano/http.sock"`)
	}
	if !strings.HasPrefix(path, "@") {
		path = absolute(dir, path)
	}
	if len(path) > maxSocketPath {
		return "", fmt.Errorf("it is a path of %d bytes; a unix socket's has at most %d", len(path), maxSocketPath)
	}
	return "unix:" + path, nil
}

// parseAccessLog reads the share of requests that get an access line.
func parseAccessLog(s string) (float64, error) {
	switch s {
	case "all":
		return 1, nil
	case "off":
		return 0, nil
	}
	number, ok := strings.CutSuffix(s, "%")
	percent, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
	if !ok || err != nil || math.IsNaN(percent) || percent < 0 || percent > 100 {
		return 0, errors.New(`write "all", "off", or the share of requests that get a line, such as "5%"`)
	}
	return percent / 100, nil
}

// parsedList is parsed for each item of a list of strings, none of which may
// be there twice.
func parsedList[T any](d *decoder, n *node, key, example string, parse func(string) (T, error)) setting[[]T] {
	values := []T{}
	first := make(map[string]position)
	for _, item := range d.list(n, key, example) {
		s := parsed(d, item, key, "a string, as in "+example, parse)
		if !s.given {
			continue
		}
		name := fmt.Sprint(s.value)
		if at, ok := first[name]; ok {
			d.problem(item.at, "%s has %q twice; first on line %d", key, item.value, at.line)
			continue
		}
		first[name] = item.at
		values = append(values, s.value)
	}
	return setting[[]T]{values, d.place(n.at), n.kind == list}
}

// appSettings is what one table gives: [defaults], or that of an app.
type appSettings struct {
	name   string // of the app
	at     place  // of the table's name
	dir    string // where its relative paths start
	source source

	hosts                         hostList
	root, entry, assets, notFound setting[string]
	isDefault, enabled            setting[bool]
	env                           map[string]setting[any]
	secrets                       map[string]setting[SecretRef]
	egress                        setting[[]EgressRule]
	idle                          setting[time.Duration] // 0: never

	memory, body          setting[int64]
	cpu, timeout          setting[time.Duration]
	concurrency, isolates setting[int]
}

// A hostList is the hosts of an app.
type hostList struct {
	at       place // of the list; zero: there is none
	empty    bool
	patterns []setting[vhost.Pattern]
}

// app reads the table of an app, or [defaults].
func (d *decoder) app(m member, isDefaults bool, dir string, from source) *appSettings {
	s := &appSettings{at: d.place(m.at), dir: dir, source: from}
	where, prefix := "[defaults]", "defaults."
	if !isDefaults {
		s.name = m.key
		where, prefix = fmt.Sprintf("[apps.%s]", m.key), ""
	}
	for _, m := range d.table(m.value, strings.Trim(where, "[]"), where) {
		v, key := m.value, prefix+m.key
		if isDefaults && (m.key == "hosts" || m.key == "root" || m.key == "entry") {
			d.problem(m.at, "%q can't be a default, since each app has its own; move it to [apps.NAME]", m.key)
			continue
		}
		switch m.key {
		case "hosts":
			s.hosts = d.hosts(v)
		case "root":
			s.root = d.text(v, key, `"/srv/blog"`)
		case "entry":
			s.entry = d.text(v, key, `"src/index.ts"`)
		case "assets":
			s.assets = d.text(v, key, `"public"`)
		case "not_found":
			s.notFound = d.choice(v, key, notFoundKinds...)
		case "default":
			s.isDefault = d.boolean(v, key)
		case "enabled":
			s.enabled = d.boolean(v, key)
		case "env":
			s.env = d.env(v, key)
		case "secrets":
			s.secrets = d.secrets(v, key, dir)
		case "egress":
			s.egress = parsedList(d, v, key, `["10.0.0.0/8", "localhost"]`, parseEgress)
		case "idle":
			s.idle = d.idle(v, key)
		case "limits":
			d.limits(v, key, s)
		default:
			d.unknown(m, where, appKeys, misplacedAppKeys(m.key))
		}
	}
	d.bothEnvAndSecret(s)
	return s
}

// misplacedAppKeys says where a key belongs that stands in an app's table.
func misplacedAppKeys(key string) map[string]string {
	elsewhere := map[string]string{
		"port":                "the port is [server] listen; apps share it",
		"main":                "write entry",
		"path":                "write root",
		"dir":                 "write root",
		"vars":                "write env",
		"timeout_ms":          `write limits = { timeout = "30s" }`,
		"memory_mb":           `write limits = { memory = "128MiB" }`,
		"not_found_handling":  "write not_found",
		"compatibility_date":  "leave it out",
		"compatibility_flags": "leave it out",
	}
	for _, limit := range limitKeys {
		elsewhere[limit] = fmt.Sprintf("write limits = { %s = … }", limit)
	}
	for _, server := range serverKeys {
		elsewhere[server] = "it belongs in [server]"
	}
	return elsewhere
}

func (d *decoder) hosts(n *node) hostList {
	h := hostList{at: d.place(n.at), empty: n.kind == list && len(n.items) == 0}
	for _, item := range d.list(n, "hosts", `["blog.example.com"]`) {
		p := parsed(d, item, "host", `a string such as "blog.example.com"`, vhost.ParsePattern)
		if p.given {
			h.patterns = append(h.patterns, p)
		}
	}
	return h
}

func (d *decoder) idle(n *node, key string) setting[time.Duration] {
	switch {
	case n.kind == text && n.value == "never":
		return setting[time.Duration]{0, d.place(n.at), true}
	case n.kind == text && (n.value == "0" || n.value == "0s" || n.value == "off"):
		d.problem(n.at, "%s = %q says not how long; write a duration such as \"10m\", or \"never\" for an app that doesn't sleep", key, n.value)
		return setting[time.Duration]{at: d.place(n.at)}
	}
	return d.duration(n, key, "10m", minIdle, maxIdle)
}

func (d *decoder) limits(n *node, key string, s *appSettings) {
	for _, m := range d.table(n, key, `{ memory = "128MiB" }`) {
		v, key := m.value, key+"."+m.key
		switch m.key {
		case "memory":
			s.memory = d.size(v, key, minMemory, maxMemory)
		case "cpu":
			s.cpu = d.duration(v, key, "50ms", minCPU, maxCPU)
		case "timeout":
			s.timeout = d.duration(v, key, "30s", minTimeout, maxTimeout)
		case "concurrency":
			s.concurrency = d.count(v, key, 1, maxConcurrency)
		case "body":
			s.body = d.size(v, key, minBody, maxBody)
		case "isolates":
			s.isolates = d.count(v, key, 1, maxIsolates)
		default:
			d.unknown(m, "limits", limitKeys, map[string]string{"idle": "it belongs to the app"})
		}
	}
}

// env reads values that JSON can carry into the app.
func (d *decoder) env(n *node, key string) map[string]setting[any] {
	env := make(map[string]setting[any])
	for _, m := range d.table(n, key, `{ GREETING = "hi" }`) {
		if m.key == "" {
			d.problem(m.at, "%s has a key without a name", key)
		} else if value, ok := d.plain(m.value, key+"."+m.key); ok {
			env[m.key] = setting[any]{value, d.place(m.at), true}
		}
	}
	return env
}

// plain returns the value of a node as encoding/json takes it.
func (d *decoder) plain(n *node, key string) (value any, ok bool) {
	ok = true
	switch n.kind {
	case integer:
		if i := n.value.(int64); i > 1<<53 || i < -1<<53 {
			d.problem(n.at, "%s = %d is beyond what a number of JavaScript holds exactly; write it as a string", key, i)
			return nil, false
		}
	case float:
		if f := n.value.(float64); math.IsInf(f, 0) || math.IsNaN(f) {
			d.problem(n.at, "%s = %v can't be passed to an app; write it as a string", key, f)
			return nil, false
		}
	case other:
		d.problem(n.at, "%s is %s, which can't be passed to an app; write it as a string", key, n.describe())
		return nil, false
	case list:
		items := make([]any, len(n.items))
		for i, item := range n.items {
			var itemOK bool
			items[i], itemOK = d.plain(item, fmt.Sprintf("%s[%d]", key, i))
			ok = ok && itemOK
		}
		return items, ok
	case table:
		object := make(map[string]any, len(n.members))
		for _, m := range n.members {
			var memberOK bool
			object[m.key], memberOK = d.plain(m.value, key+"."+m.key)
			ok = ok && memberOK
		}
		return object, ok
	}
	return n.value, true
}

// secrets reads references. No message repeats a value: it may be the secret
// that someone has put there by mistake.
func (d *decoder) secrets(n *node, key, dir string) map[string]setting[SecretRef] {
	secrets := make(map[string]setting[SecretRef])
	if n.kind != table {
		d.problem(n.at, `%s is no table; write one, such as { DB_URL = "credential:blog-db" }`, key)
		return nil
	}
	for _, m := range d.table(n, key, `{ DB_URL = "credential:blog-db" }`) {
		value, _ := m.value.value.(string)
		if m.value.kind != text {
			value = ""
		}
		ref, err := parseSecret(value, dir)
		switch {
		case m.key == "":
			d.problem(m.at, "%s has a key without a name", key)
		case err != nil:
			d.problem(m.value.at, "%s.%s: %v", key, m.key, err)
		default:
			secrets[m.key] = setting[SecretRef]{ref, d.place(m.at), true}
		}
	}
	return secrets
}

// bothEnvAndSecret reports names that one table gives as both.
func (d *decoder) bothEnvAndSecret(s *appSettings) {
	for name, secret := range s.secrets {
		if env, ok := s.env[name]; ok {
			d.problem(secret.at.position, "%q is in secrets and, on line %d, in env; keep one of them", name, env.at.line)
		}
	}
}

// absolute resolves a path of a file in dir.
func absolute(dir, path string) string {
	if filepath.IsAbs(path) {
		return filepath.Clean(path)
	}
	return filepath.Join(dir, path)
}
