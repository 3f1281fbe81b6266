package stack

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// nanoCommands configures NANO as its package does, but for what the others are
// not asked either: logging each request, and watching files.
func nanoCommands(t Tools, spec Spec, s *Stack) ([]command, error) {
	s.Admin = filepath.Join(spec.Dir, "admin.sock")
	var b strings.Builder
	fmt.Fprintf(&b, "[server]\nlisten = [%q]\nadmin = %q\nlog = \"text\"\naccess_log = \"off\"\nwatch = false\n", s.Addr, s.Admin)
	fmt.Fprintf(&b, "\n[defaults]\negress = [\"127.0.0.1\"]\n%s", spec.Nano)
	for _, app := range spec.Apps {
		fmt.Fprintf(&b, "\n[apps.%s]\nhosts = [%q]\n", app.Name, app.Host)
		root := filepath.Dir(app.Module)
		if app.Assets != "" {
			// The assets are inside of the root.
			root = commonFolder(root, app.Assets)
			fmt.Fprintf(&b, "assets = %q\n", app.Assets)
		}
		fmt.Fprintf(&b, "root = %q\nentry = %q\n", root, app.Module)
	}
	path := filepath.Join(spec.Dir, "nano.toml")
	if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
		return nil, err
	}
	return []command{{
		name: "nano",
		args: []string{t.Nano, "serve", "--config", path},
		env:  []string{"STATE_DIRECTORY=" + filepath.Join(spec.Dir, "state")},
		dir:  spec.Dir,
	}}, nil
}

// commonFolder is the innermost folder that both are in.
func commonFolder(a, b string) string {
	for a != b {
		if len(a) > len(b) {
			a = filepath.Dir(a)
		} else {
			b = filepath.Dir(b)
		}
	}
	return a
}
