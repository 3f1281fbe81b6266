package stack

import (
	_ "embed"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

//go:embed router.js
var routerModule []byte

// compatibilityDate is workerd's: the newest that the pinned version knows.
const compatibilityDate = "2026-11-17"

// workerdCommands configures a service for each app, and the router in front of
// them or the one app on the socket. Apps may fetch from this machine.
func workerdCommands(t Tools, spec Spec, s *Stack, router bool) ([]command, error) {
	var services, workers, bindings strings.Builder
	for i, app := range spec.Apps {
		// Only files beside the configuration can be embedded.
		name := app.Name + ".mjs"
		if err := copyFile(filepath.Join(spec.Dir, name), app.Module); err != nil {
			return nil, err
		}
		fmt.Fprintf(&services, "    (name = %q, worker = .app%d),\n", app.Name, i)
		fmt.Fprintf(&workers, "const app%d :Workerd.Worker = (\n  modules = [(name = %q, esModule = embed %q)],\n  compatibilityDate = %q,\n);\n",
			i, name, name, compatibilityDate)
		fmt.Fprintf(&bindings, "    (name = %q, service = %q),\n", app.Host, app.Name)
	}
	entry := spec.Apps[0].Name
	if router {
		entry = "the-router"
		if err := os.WriteFile(filepath.Join(spec.Dir, "the-router.mjs"), routerModule, 0o644); err != nil {
			return nil, err
		}
		fmt.Fprintf(&services, "    (name = %q, worker = .router),\n", entry)
		fmt.Fprintf(&workers, "const router :Workerd.Worker = (\n  modules = [(name = \"router\", esModule = embed \"the-router.mjs\")],\n  compatibilityDate = %q,\n  bindings = [\n%s  ],\n);\n",
			compatibilityDate, &bindings)
	}
	config := fmt.Sprintf(`using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
%s    (name = "internet", network = (allow = ["public", "private", "local"])),
  ],
  sockets = [(name = "http", address = "%s", http = (), service = "%s")],
);
%s`, &services, s.Addr, entry, &workers)
	path := filepath.Join(spec.Dir, "config.capnp")
	if err := os.WriteFile(path, []byte(config), 0o644); err != nil {
		return nil, err
	}
	return []command{{name: "workerd", args: []string{t.Workerd, "serve", path}, dir: spec.Dir}}, nil
}

func copyFile(to, from string) error {
	data, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, data, 0o644)
}
