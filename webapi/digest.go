package webapi

import (
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"hash"
	"slices"

	"github.com/nano-runtime/nano/isolate"
)

// digestSlice is how many bytes are hashed before others have their turn: half a millisecond's.
const digestSlice = 256 << 10

// digest hashes for as long as it takes; the app's JavaScript waits meanwhile, as it would for code of its own.
func (h *Host) digest(call uint32, algorithm string, data []byte) {
	begin := digests[algorithm]
	if begin == nil {
		h.fail(call, "NotSupportedError", "there is no digest "+algorithm)
		return
	}
	sum := begin()
	for part := range slices.Chunk(data, digestSlice) {
		h.work(func() { sum.Write(part) })
	}
	h.send(isolate.InResult, call, isolate.Bytes(sum.Sum(nil)))
}

var digests = map[string]func() hash.Hash{
	"SHA-1":   sha1.New,
	"SHA-256": sha256.New,
	"SHA-384": sha512.New384,
	"SHA-512": sha512.New,
}
