package stack

import (
	"fmt"
	"strings"
)

// A Kind is a way to serve apps.
type Kind string

// The kinds, in the order in which they are listed.
const (
	Nano          Kind = "NANO"
	NginxDeno     Kind = "nginx→Deno"
	NginxNode     Kind = "nginx→Node"
	CaddyDeno     Kind = "Caddy→Deno"
	Workerd       Kind = "workerd"
	WorkerdRouter Kind = "workerd+router" // a worker in front of the others picks by Host
	Deno          Kind = "Deno"
	Node          Kind = "Node"
	Go            Kind = "Go" // net/http, without JavaScript
)

// Kinds returns all kinds.
func Kinds() []Kind {
	return []Kind{Nano, NginxDeno, NginxNode, CaddyDeno, Workerd, WorkerdRouter, Deno, Node, Go}
}

// Slug is the kind's name on a command line.
func (k Kind) Slug() string {
	return strings.ToLower(strings.NewReplacer("→", "-", "+", "-").Replace(string(k)))
}

// Routes reports whether the kind serves several apps on one port.
func (k Kind) Routes() bool {
	switch k {
	case Workerd, Deno, Node, Go:
		return false
	}
	return true
}

// Files reports whether the kind serves an app's assets without asking the app.
func (k Kind) Files() bool {
	switch k {
	case Nano, NginxDeno, NginxNode, CaddyDeno, Go:
		return true
	}
	return false
}

// JavaScript reports whether the kind runs the apps' modules.
func (k Kind) JavaScript() bool { return k != Go }

// A tool is a program, and how to get it.
type tool struct{ name, path, hint string }

// Missing says what the kind lacks on this machine and how to install it; "" if
// nothing.
func (k Kind) Missing(t Tools) string {
	nano := tool{"nano", t.Nano, "make build"}
	deno := tool{"deno", t.Deno, "npm ci, in bench/; on arm64: npm install --no-save @deno/linux-arm64-glibc"}
	node := tool{"node", t.Node, "apt install nodejs   (or: dnf install nodejs)"}
	workerd := tool{"workerd", t.Workerd, "npm ci, in bench/"}
	nginx := tool{"nginx", t.Nginx, "apt install nginx-light   (or: dnf install nginx)"}
	caddy := tool{"caddy", t.Caddy, "apt install caddy   (or: dnf install caddy)"}
	needs := map[Kind][]tool{
		Nano:          {nano},
		NginxDeno:     {nginx, deno},
		NginxNode:     {nginx, node},
		CaddyDeno:     {caddy, deno},
		Workerd:       {workerd},
		WorkerdRouter: {workerd},
		Deno:          {deno},
		Node:          {node},
	}
	var missing []string
	for _, t := range needs[k] {
		if t.path == "" {
			missing = append(missing, fmt.Sprintf("%s is missing (%s)", t.name, t.hint))
		}
	}
	return strings.Join(missing, "; ")
}

// commands writes the kind's configuration and returns what is to be started.
func (k Kind) commands(t Tools, spec Spec, s *Stack) ([]command, error) {
	if !k.Routes() && len(spec.Apps) > 1 {
		return nil, fmt.Errorf("it serves one app, not %d", len(spec.Apps))
	}
	switch k {
	case Nano:
		return nanoCommands(t, spec, s)
	case NginxDeno, NginxNode, CaddyDeno:
		run := denoCommand
		if k == NginxNode {
			run = nodeCommand
		}
		backends, err := backends(t, spec, run)
		if err != nil {
			return nil, err
		}
		front := nginxCommand
		if k == CaddyDeno {
			front = caddyCommand
		}
		proxy, err := front(t, spec, s, backends)
		return append(backends, proxy), err
	case Workerd, WorkerdRouter:
		return workerdCommands(t, spec, s, k == WorkerdRouter)
	case Deno:
		return []command{front(denoCommand(t, spec, spec.Apps[0], s.Addr.Port()))}, nil
	case Node:
		return []command{front(nodeCommand(t, spec, spec.Apps[0], s.Addr.Port()))}, nil
	case Go:
		return []command{nativeCommand(t, spec, s)}, nil
	}
	return nil, fmt.Errorf("there is no stack of that name")
}

// front makes a backend the stack's front.
func front(c command) command {
	c.port = 0
	return c
}
