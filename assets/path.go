package assets

import "strings"

// maxPath is the length in bytes of the longest path that is looked for.
const maxPath = 2048

// refused are names at the top of a folder that are addressed to the host
// and not to its visitors: build tools put them among the files.
var refused = map[string]bool{
	"_worker.js":   true,
	"_headers":     true,
	"_redirects":   true,
	"_routes.json": true,
}

// fileName returns the name below the folder that a request's path means, and
// whether it ends in a slash. A path that isn't written in the one plain way,
// that names something hidden, or that could mean something else to a file
// system than to a browser, means no file.
func fileName(path, rawPath string) (name string, slash, ok bool) {
	if path == "" || path[0] != '/' || len(path) > maxPath {
		return "", false, false
	}
	// The URL parser keeps the raw path only if something is escaped that
	// needn't be, such as a slash.
	for i := 0; i+2 < len(rawPath); i++ {
		if rawPath[i] == '%' {
			switch strings.ToLower(rawPath[i+1 : i+3]) {
			case "2f", "5c":
				return "", false, false
			}
		}
	}
	name = path[1:]
	start := 0
	for i := 0; i <= len(name); i++ {
		if i < len(name) && name[i] != '/' {
			if name[i] < ' ' || name[i] == 0x7f || name[i] == '\\' {
				return "", false, false
			}
			continue
		}
		part := name[start:i]
		switch {
		case part == "" && i < len(name):
			return "", false, false
		case start == 0 && refused[part]:
			return "", false, false
		case strings.HasPrefix(part, ".") && (start > 0 || part != ".well-known"):
			return "", false, false
		}
		start = i + 1
	}
	slash = strings.HasSuffix(path, "/")
	return strings.TrimSuffix(name, "/"), slash, true
}
