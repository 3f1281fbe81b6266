package stack

import (
	"path/filepath"
	"strconv"
)

// backends are a process for each app, each on a port of its own.
func backends(t Tools, spec Spec, run func(Tools, Spec, App, uint16) command) ([]command, error) {
	commands := make([]command, len(spec.Apps))
	taken := make(map[uint16]bool)
	for i, app := range spec.Apps {
		port, err := freePort()
		for err == nil && taken[port] {
			port, err = freePort()
		}
		if err != nil {
			return nil, err
		}
		taken[port] = true
		commands[i] = run(t, spec, app, port)
	}
	return commands, nil
}

// denoCommand is what Deno's manual says for a module with a default export. Its
// caches are kept in the stack's folder, and it asks nobody for updates.
func denoCommand(t Tools, spec Spec, app App, port uint16) command {
	return command{
		name: "deno " + app.Name,
		args: []string{
			t.Deno, "serve", "--quiet", "--no-prompt", "--no-config", "--cached-only", "--allow-net",
			"--host", "127.0.0.1", "--port", strconv.Itoa(int(port)), app.Module,
		},
		env:  []string{"DENO_DIR=" + filepath.Join(spec.Dir, "deno"), "DENO_NO_UPDATE_CHECK=1", "NO_COLOR=1"},
		dir:  spec.Dir,
		port: port,
	}
}

func nodeCommand(t Tools, spec Spec, app App, port uint16) command {
	return command{
		name: "node " + app.Name,
		args: []string{t.Node, t.NodeAdapter, app.Module, strconv.Itoa(int(port))},
		env:  []string{"NODE_ENV=production"},
		dir:  spec.Dir,
		port: port,
	}
}

func nativeCommand(t Tools, spec Spec, s *Stack) command {
	app := spec.Apps[0]
	return command{
		name: "go " + app.Name,
		args: append(t.Native[:len(t.Native):len(t.Native)], app.Name, strconv.Itoa(int(s.Addr.Port())), app.Assets, t.Upstream),
		dir:  spec.Dir,
	}
}
