package assets

import (
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// maxNames is the number of names from which a folder isn't listed.
const maxNames = 4096

// A listing is what is at the top of the folder, for as long as its mark
// holds. Most requests for an app's pages and data are told by it that there
// is no such file, for the price of one look at the folder.
type listing struct {
	mark  mark
	names map[string]bool // nil if there are too many
}

// mayExist reports whether there can be a file of that name, or of that name
// and .html.
func (s *Server) mayExist(name string) bool {
	l := s.listing.Load()
	if l == nil || !l.mark.holds() {
		if l = s.list(); l == nil {
			return true
		}
		s.listing.Store(l)
	}
	if l.names == nil {
		return true
	}
	first, _, deeper := strings.Cut(name, "/")
	return l.names[first] || !deeper && l.names[first+".html"]
}

// list returns nil while the folder can't be told from its next version.
func (s *Server) list() *listing {
	var st unix.Stat_t
	if unix.Stat(s.dir, &st) != nil || !isSettled(&st, s.now()) {
		return nil
	}
	l := &listing{mark: newMark(s.dir, &st)}
	dir, err := os.Open(s.dir)
	if err != nil {
		return nil
	}
	defer dir.Close()
	names, err := dir.Readdirnames(maxNames + 1)
	if len(names) > maxNames {
		return l
	}
	if err != nil && len(names) > 0 {
		return nil
	}
	l.names = make(map[string]bool, len(names))
	for _, name := range names {
		l.names[name] = true
	}
	return l
}
