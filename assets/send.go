package assets

import (
	"bytes"
	"net/http"
	"os"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// maxRead is the size in bytes up to which a file is read and written along
// with the answer's head; larger ones are sent by the kernel.
const maxRead = 64 << 10

var buffers = sync.Pool{New: func() any { return new([maxRead]byte) }}

// A reply is a file as it is sent.
type reply struct {
	head     http.Header // without the length
	fields   []byte      // the same for Quick
	size     int64
	modified time.Time
	body     []byte   // of a small file
	large    *os.File // any other
	marks    []mark   // what must hold for it to be sent again
}

// send answers with an open file, or with a compressed one beside it, closes
// it, and keeps the answer if that is small.
func (s *Server) send(w http.ResponseWriter, r *http.Request, k choice, f *file) {
	now := s.now()
	keep := f.stat.Size <= maxRead && isSettled(&f.stat, now)
	mime, compresses := contentType(k.name)
	a := &reply{marks: []mark{s.mark(k.name, &f.stat)}}
	a.head = http.Header{
		"Content-Type":  {mime},
		"Cache-Control": {"public, max-age=0, must-revalidate"},
		"Accept-Ranges": {"bytes"},
	}
	if compresses {
		a.head["Vary"] = []string{"Accept-Encoding"}
		if keep {
			var m mark
			m, keep = s.folderMark(k.name, now)
			a.marks = append(a.marks, m)
		}
		if e, c := s.compressed(k, f); c != nil {
			f.close()
			f = c
			keep = keep && f.stat.Size <= maxRead && isSettled(&f.stat, now)
			a.marks = append(a.marks, s.mark(k.name+e.ext, &f.stat))
			a.head["Content-Encoding"] = []string{e.name}
		}
	}
	defer f.close()
	a.size, a.modified = f.stat.Size, f.modified()
	a.head["Etag"] = []string{f.etag(now)}
	if a.modified.Unix() > 0 {
		a.head["Last-Modified"] = []string{a.modified.UTC().Format(http.TimeFormat)}
	}

	switch {
	case a.size > maxRead:
		a.large = f.osFile()
	case keep:
		a.body = make([]byte, a.size)
	default:
		buf := buffers.Get().(*[maxRead]byte)
		defer buffers.Put(buf)
		a.body = buf[:a.size]
	}
	if a.large == nil {
		n, err := unix.Pread(f.fd, a.body, 0)
		if err != nil {
			text(w, http.StatusInternalServerError, "cannot read the file\n")
			return
		}
		if int64(n) != a.size { // it has just been cut
			a.body, a.size, keep = a.body[:n], int64(n), false
		}
	}
	if keep {
		a.fields = flatten(a.head)
		s.cache.put(k, a)
	}
	a.send(w, r)
}

// compressed opens the form of a file that the client prefers. One from before
// the file was last written is passed over: to the second, as some tools don't
// copy times more exactly.
func (s *Server) compressed(k choice, of *file) (encoding, *file) {
	for _, e := range encodings {
		if e.name == "br" && !k.br || e.name == "gzip" && !k.gzip {
			continue
		}
		f, err := s.open(k.name + e.ext)
		if err != nil {
			continue
		}
		if f.stat.Mtim.Sec >= of.stat.Mtim.Sec {
			return e, f
		}
		f.close()
	}
	return encoding{}, nil
}

// send may be called by many goroutines at once for a small file.
func (a *reply) send(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	for name, values := range a.head {
		if before := h[name]; name == "Vary" && len(before) > 0 {
			values = append(before, values...)
		}
		h[name] = values
	}
	if r.Method == http.MethodHead && len(r.Header["Range"]) > 0 {
		r = withoutRange(r)
	}
	length := []string{strconv.FormatInt(a.size, 10)}
	if !isConditional(r) {
		h["Content-Length"] = length
		w.WriteHeader(http.StatusOK)
		switch {
		case r.Method == http.MethodHead:
		case a.large != nil:
			copyN(w, a.large, a.size)
		default:
			w.Write(a.body) // who doesn't get it all has gone away
		}
		return
	}
	// http.ServeContent leaves the length out of encoded answers. But it would
	// also let it stand in the empty one to a failed precondition.
	if len(a.head["Content-Encoding"]) > 0 && r.Header.Get("If-Match") == "" && r.Header.Get("If-Unmodified-Since") == "" {
		h["Content-Length"] = length
	}
	if a.large != nil {
		http.ServeContent(w, r, "", a.modified, a.large)
	} else {
		http.ServeContent(w, r, "", a.modified, bytes.NewReader(a.body))
	}
}

// withoutRange is r for methods that know no ranges (RFC 9110, 14.2); http.ServeContent
// answers HEAD with 206.
func withoutRange(r *http.Request) *http.Request {
	c := *r
	c.Header = r.Header.Clone()
	c.Header.Del("Range")
	c.Header.Del("If-Range")
	return &c
}

func isConditional(r *http.Request) bool {
	for _, name := range [...]string{"Range", "If-None-Match", "If-Modified-Since", "If-Match", "If-Unmodified-Since"} {
		if len(r.Header[name]) > 0 {
			return true
		}
	}
	return false
}

// etag tells versions of a file apart by the time its inode changed, which
// unlike the modification time no tool can set. While another write could
// still bear the same time, the tag is a weak one.
func (o *file) etag(now time.Time) string {
	var buf [64]byte
	tag := buf[:0]
	if !isSettled(&o.stat, now) {
		tag = append(tag, "W/"...)
	}
	tag = append(tag, '"')
	tag = strconv.AppendInt(tag, time.Unix(o.stat.Ctim.Unix()).UnixNano(), 36)
	tag = append(tag, '-')
	tag = strconv.AppendInt(tag, o.stat.Size, 36)
	tag = append(tag, '-')
	tag = strconv.AppendUint(tag, o.stat.Ino, 36)
	return string(append(tag, '"'))
}
