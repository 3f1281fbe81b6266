package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"path/filepath"
	"strconv"
	"strings"
)

// A Draft is one app of the state directory as the admin API was given it:
// just the keys that somebody wrote, without defaults. Put it into Options to
// learn whether the configuration would be sound with it, then write it.
type Draft struct {
	name string
	file string // as messages name it
	app  *node  // its table
}

// requestFile stands in messages for the file that a request is not yet.
const requestFile = "request"

// DecodeApp reads an app from the JSON that the admin API takes, which has the
// keys of an app's TOML table, and optionally its name. name is what the URL
// says, or "". The error is Problems; only the form is judged, the rest by Load.
func DecodeApp(name string, body []byte) (*Draft, error) {
	d := &decoder{file: requestFile}
	root, faults := parseJSON(body)
	d.faults(faults)
	if root == nil {
		return nil, d.problems
	}
	if root.kind != table {
		d.problem(root.at, `an app is %s; write an object, such as { "hosts": ["blog.example.com"], "root": "/srv/blog" }`, root.describe())
		return nil, d.problems
	}
	app := newTable(root.at)
	at := root.at
	for _, m := range root.members {
		if m.key != "name" {
			app.set(m)
			continue
		}
		at = m.value.at
		switch given := d.text(m.value, "name", `"blog"`); {
		case !given.given:
		case name == "":
			name = given.value
		case name != given.value:
			d.problem(at, "name is %q, and the app's address says %q; leave the key out", given.value, name)
		}
	}
	if len(d.problems) == 0 {
		if name == "" {
			d.problem(root.at, `the app has no name; add "name": "blog"`)
		} else if err := checkName(name); err != nil {
			d.problem(at, "%v", err)
		}
	}
	if len(d.problems) > 0 {
		return nil, d.problems
	}
	return &Draft{name, requestFile, app}, nil
}

// Name returns the name of the app.
func (d *Draft) Name() string { return d.name }

// SetEnabled returns the draft with its enabled key set.
func (d *Draft) SetEnabled(enabled bool) *Draft {
	app := newTable(d.app.at)
	for _, m := range d.app.members {
		app.set(m)
	}
	app.set(member{"enabled", app.at, &node{kind: boolean, at: app.at, value: enabled}})
	return &Draft{d.name, d.file, app}
}

// document returns the draft as the file that it would be in dir.
func (d *Draft) document(dir string) *document {
	path := filepath.Join(dir, d.name+".toml")
	if abs, err := filepath.Abs(path); err == nil {
		path = abs
	}
	apps, root := newTable(d.app.at), newTable(d.app.at)
	apps.set(member{d.name, d.app.at, d.app})
	root.set(member{"apps", d.app.at, apps})
	return &document{source: source{file: d.file, path: path, state: true}, root: root, complete: true}
}

// TOML returns the file that the draft is in the state directory.
func (d *Draft) TOML() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "# Written by the admin API, which may write it again: change it with the nano command.\n\n[apps.%s]\n", d.name)
	for _, m := range d.app.members {
		fmt.Fprintf(&b, "%s = ", tomlKey(m.key))
		writeTOML(&b, m.value)
		b.WriteByte('\n')
	}
	return b.Bytes()
}

// MarshalJSON returns the draft as DecodeApp reads it, the secrets blotted out.
func (d *Draft) MarshalJSON() ([]byte, error) {
	object := map[string]any{"name": d.name}
	for _, m := range d.app.members {
		object[m.key] = jsonValue(m.value)
	}
	if secrets, ok := d.app.get("secrets"); ok {
		object["secrets"] = blot(secrets.value)
	}
	return json.Marshal(object)
}

// blot replaces references to secrets by what may be shown of them.
func blot(n *node) any {
	if n.kind != table {
		return SecretRef{}
	}
	blotted := make(map[string]SecretRef)
	for _, m := range n.members {
		s, _ := m.value.value.(string)
		ref, _ := parseSecret(s, "/")
		blotted[m.key] = ref
	}
	return blotted
}

func jsonValue(n *node) any {
	switch n.kind {
	case table:
		object := make(map[string]any)
		for _, m := range n.members {
			object[m.key] = jsonValue(m.value)
		}
		return object
	case list:
		items := make([]any, len(n.items))
		for i, item := range n.items {
			items[i] = jsonValue(item)
		}
		return items
	case float:
		if f := n.value.(float64); math.IsNaN(f) || math.IsInf(f, 0) {
			return fmt.Sprint(f)
		}
	}
	return n.value
}

// writeTOML writes a value on one line.
func writeTOML(b *bytes.Buffer, n *node) {
	switch n.kind {
	case table:
		b.WriteByte('{')
		for i, m := range n.members {
			if i > 0 {
				b.WriteByte(',')
			}
			fmt.Fprintf(b, " %s = ", tomlKey(m.key))
			writeTOML(b, m.value)
		}
		b.WriteString(" }")
	case list:
		b.WriteByte('[')
		for i, item := range n.items {
			if i > 0 {
				b.WriteString(", ")
			}
			writeTOML(b, item)
		}
		b.WriteByte(']')
	case text:
		b.WriteString(tomlString(n.value.(string)))
	case float:
		s := strconv.FormatFloat(n.value.(float64), 'g', -1, 64)
		if !strings.ContainsAny(s, ".en") {
			s += ".0"
		}
		b.WriteString(strings.TrimPrefix(strings.ToLower(s), "+"))
	default:
		fmt.Fprint(b, n.value)
	}
}

func tomlKey(key string) string {
	bare := key != "" && strings.Trim(key, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") == ""
	if bare {
		return key
	}
	return tomlString(key)
}

func tomlString(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, c := range s {
		switch {
		case c == '"' || c == '\\':
			b.WriteByte('\\')
			b.WriteRune(c)
		case c < 0x20 || c == 0x7f:
			fmt.Fprintf(&b, `\u%04X`, c)
		default:
			b.WriteRune(c)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// MarshalJSON returns the app with the keys of its TOML table, everything that
// is in force included, and the secrets blotted out.
func (a App) MarshalJSON() ([]byte, error) {
	hosts := make([]string, len(a.Hosts))
	for i, h := range a.Hosts {
		hosts[i] = h.String()
	}
	egress := make([]string, len(a.Egress))
	for i, r := range a.Egress {
		egress[i] = r.String()
	}
	return json.Marshal(struct {
		Name     string               `json:"name"`
		Hosts    []string             `json:"hosts"`
		Root     string               `json:"root"`
		Entry    string               `json:"entry,omitempty"`
		Assets   string               `json:"assets,omitempty"`
		NotFound string               `json:"not_found,omitempty"`
		Default  bool                 `json:"default"`
		Enabled  bool                 `json:"enabled"`
		Env      map[string]any       `json:"env"`
		Secrets  map[string]SecretRef `json:"secrets"`
		Egress   []string             `json:"egress"`
		Idle     string               `json:"idle"`
		Limits   map[string]any       `json:"limits"`
	}{
		a.Name, hosts, a.Root, a.Entry, a.Assets, a.NotFound, a.Default, a.Enabled,
		a.Env, a.Secrets, egress, formatIdle(a.Idle),
		map[string]any{
			"memory": formatSize(a.Limits.Memory), "cpu": formatDuration(a.Limits.CPU), "timeout": formatDuration(a.Limits.Timeout),
			"concurrency": a.Limits.Concurrency, "body": formatSize(a.Limits.Body), "isolates": a.Limits.Isolates,
		},
	})
}
