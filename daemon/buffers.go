package daemon

import (
	"math/bits"
	"sync"
)

// A buffer is memory on loan. Its b may be cut and appended to within its capacity.
type buffer struct {
	b    []byte
	full []byte
}

// Sizes of buffers: powers of two from 4 KiB to 4 MiB; larger ones are not kept.
const (
	minBuffer     = 4 << 10
	bufferClasses = 11
)

// buffers lends buffers out.
type buffers struct {
	pools [bufferClasses]sync.Pool
}

func classOf(size int) int {
	if size <= minBuffer {
		return 0
	}
	return bits.Len(uint(size-1)) - bits.Len(minBuffer-1)
}

// get lends an empty buffer with room for size bytes at least.
func (p *buffers) get(size int) *buffer {
	c := classOf(size)
	if c >= bufferClasses {
		return &buffer{b: make([]byte, 0, size)}
	}
	if b, ok := p.pools[c].Get().(*buffer); ok {
		return b
	}
	full := make([]byte, minBuffer<<c)
	return &buffer{b: full[:0], full: full}
}

// put takes a buffer back. nil is fine.
func (p *buffers) put(b *buffer) {
	if b == nil || b.full == nil {
		return
	}
	b.b = b.full[:0]
	p.pools[classOf(len(b.full))].Put(b)
}
