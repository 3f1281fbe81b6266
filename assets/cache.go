package assets

import (
	"net/http"
	"path"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// maxCache is how many bytes of files a cache holds.
	maxCache = 1 << 20
	// settled is how long something must have been unchanged before the time of
	// its last change tells versions apart, as times come from a coarse clock.
	settled = time.Second
)

// A mark says that a path still leads to what it led to, unchanged.
type mark struct {
	path             string
	dev, ino         uint64
	size, sec, nsecs int64
}

func newMark(path string, st *unix.Stat_t) mark {
	return mark{path, uint64(st.Dev), st.Ino, st.Size, st.Ctim.Sec, st.Ctim.Nsec}
}

func (m mark) holds() bool {
	var st unix.Stat_t
	return unix.Stat(m.path, &st) == nil && newMark(m.path, &st) == m
}

func isSettled(st *unix.Stat_t, now time.Time) bool {
	return now.Sub(time.Unix(st.Ctim.Unix())) >= settled
}

// A choice is a file together with what may decide which form of it is sent.
type choice struct {
	name     string
	br, gzip bool
}

func newChoice(r *http.Request, name string) choice {
	c := choice{name: name}
	if _, compresses := contentType(name); compresses {
		if accept := r.Header.Get("Accept-Encoding"); accept != "" {
			c.br, c.gzip = accepts(accept, "br"), accepts(accept, "gzip")
		}
	}
	return c
}

// holds reports whether a reply is still what would be sent. The marks are
// looked at for every request, so nothing stale is sent; what the cache saves
// is opening and reading.
func (a *reply) holds() bool {
	for _, m := range a.marks {
		if !m.holds() {
			return false
		}
	}
	return true
}

// A cache holds the small files that were asked for, in no particular order:
// when it is full, it makes room at random.
type cache struct {
	mu      sync.RWMutex // guards the fields below
	entries map[choice]*reply
	size    int
}

func (c *cache) get(k choice) *reply {
	c.mu.RLock()
	a := c.entries[k]
	c.mu.RUnlock()
	if a == nil {
		return nil
	}
	if !a.holds() {
		c.mu.Lock()
		c.dropLocked(k, a)
		c.mu.Unlock()
		return nil
	}
	return a
}

func (c *cache) put(k choice, a *reply) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.entries == nil {
		c.entries = make(map[choice]*reply)
	}
	c.dropLocked(k, c.entries[k])
	for k, old := range c.entries {
		if c.size+a.cost(k) <= maxCache {
			break
		}
		c.dropLocked(k, old)
	}
	c.entries[k] = a
	c.size += a.cost(k)
}

func (c *cache) dropLocked(k choice, a *reply) {
	if a != nil && c.entries[k] == a {
		delete(c.entries, k)
		c.size -= a.cost(k)
	}
}

// cost is about what a reply takes in memory; that of the smallest bounds
// how many there are.
func (a *reply) cost(k choice) int {
	const overhead = 1024
	return overhead + len(k.name) + len(a.body)
}

// mark marks a name below the folder.
func (s *Server) mark(name string, st *unix.Stat_t) mark {
	return newMark(s.dir+"/"+name, st)
}

// folderMark marks the folder that a name is in. Take it before looking for
// what else is in there.
func (s *Server) folderMark(name string, now time.Time) (m mark, ok bool) {
	dir := path.Dir(s.dir + "/" + name)
	var st unix.Stat_t
	if unix.Stat(dir, &st) != nil || !isSettled(&st, now) {
		return mark{}, false
	}
	return newMark(dir, &st), true
}
