package webapi

import (
	"bytes"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"

	"github.com/nano-runtime/nano/isolate"
)

// digestAtOnce is how many bytes are hashed on the loop's goroutine: less than a goroutine's start is worth.
const digestAtOnce = 16 << 10

func (h *Host) digest(call uint32, algorithm string, data []byte) {
	sum := digests[algorithm]
	if sum == nil {
		h.fail(call, "NotSupportedError", "there is no digest "+algorithm)
		return
	}
	if len(data) <= digestAtOnce {
		h.send(isolate.InResult, call, isolate.Bytes(sum(data)))
		return
	}
	data = bytes.Clone(data)
	go func() { h.send(isolate.InResult, call, isolate.Bytes(sum(data))) }()
}

var digests = map[string]func([]byte) []byte{
	"SHA-1":   func(b []byte) []byte { s := sha1.Sum(b); return s[:] },
	"SHA-256": func(b []byte) []byte { s := sha256.Sum256(b); return s[:] },
	"SHA-384": func(b []byte) []byte { s := sha512.Sum384(b); return s[:] },
	"SHA-512": func(b []byte) []byte { s := sha512.Sum512(b); return s[:] },
}
