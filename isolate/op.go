package isolate

import (
	"encoding/binary"
	"math"
	"unicode/utf8"
)

// Op says what a message is about. The two directions number apart; JavaScript's
// side of the same list is webapi/js/core/ops.js.
type Op uint8

// From JavaScript to Go. TIMER and CLEAR are answered by the loop itself; ops from
// FirstCall on are asynchronous calls whose id names the promise to settle.
const (
	OpRespond    Op = 1  // id, status, headers, body
	OpChunk      Op = 2  // id, data, call
	OpEnd        Op = 3  // id
	OpFail       Op = 4  // id, message, stack
	OpReadBody   Op = 5  // call, request
	OpCancelBody Op = 6  // 0, request
	OpDone       Op = 7  // id
	OpTimer      Op = 8  // id, milliseconds
	OpClear      Op = 9  // id
	OpLog        Op = 10 // request, level, text
	OpUnhandled  Op = 11 // request, message, stack
	FirstCall    Op = 32
)

// From Go to JavaScript.
const (
	InRequest Op = 1 // id, method, url, headers, body
	InAbort   Op = 2 // id, message, whether waitUntil ends too
	InResult  Op = 3 // call, values…
	InError   Op = 4 // call, name, message
	InTimer   Op = 5 // timer
	inLoad    Op = 6 // 0, namespace: the module was evaluated; made by the bridge
	inEnv     Op = 7 // 0, env, name, assets: it will be; made by the bridge
	inCheck   Op = 8 // 0: promises were rejected; made by the bridge
)

// The wire format of a message, both ways, all little endian:
//
//	size uint32 (of all that follows) · op uint8 · argc uint8 · 0 uint16 · id uint32 · args
//
// and of an argument: a tag, then its payload as the tag says.
const (
	tagUndefined byte = iota
	tagNull
	tagFalse
	tagTrue
	tagNumber // float64
	tagLatin1 // uint32 length, one byte a code unit
	tagUTF8   // uint32 length, UTF-8
	tagBytes  // uint32 length, bytes
)

// Arg is one argument of a message to JavaScript. It holds no copy: what it was made
// of must not change until Send has returned.
type Arg struct {
	tag byte
	num float64
	str string
	buf []byte
}

// Null is JavaScript's null.
func Null() Arg { return Arg{tag: tagNull} }

// Undefined is JavaScript's undefined.
func Undefined() Arg { return Arg{tag: tagUndefined} }

// Bool is a JavaScript boolean.
func Bool(b bool) Arg {
	if b {
		return Arg{tag: tagTrue}
	}
	return Arg{tag: tagFalse}
}

// Number is a JavaScript number.
func Number(f float64) Arg { return Arg{tag: tagNumber, num: f} }

// Text is a string of UTF-8; what isn't valid becomes U+FFFD.
func Text(s string) Arg { return Arg{tag: tagUTF8, str: s} }

// Latin1 is a string of bytes, each of which becomes the code unit of its number: the
// "isomorphic decode" that the Fetch standard wants for header values.
func Latin1(s string) Arg { return Arg{tag: tagLatin1, str: s} }

// Bytes is a Uint8Array with a copy of b.
func Bytes(b []byte) Arg { return Arg{tag: tagBytes, buf: b} }

func appendMessage(b []byte, op Op, id uint32, args []Arg) []byte {
	start := len(b)
	b = append(b, 0, 0, 0, 0, byte(op), byte(len(args)), 0, 0)
	b = binary.LittleEndian.AppendUint32(b, id)
	for i := range args {
		a := &args[i]
		b = append(b, a.tag)
		switch a.tag {
		case tagNumber:
			b = binary.LittleEndian.AppendUint64(b, math.Float64bits(a.num))
		case tagLatin1, tagUTF8:
			b = binary.LittleEndian.AppendUint32(b, uint32(len(a.str)))
			b = append(b, a.str...)
		case tagBytes:
			b = binary.LittleEndian.AppendUint32(b, uint32(len(a.buf)))
			b = append(b, a.buf...)
		}
	}
	binary.LittleEndian.PutUint32(b[start:], uint32(len(b)-start-4))
	return b
}

// Value is one argument of a message from JavaScript. Its bytes belong to the batch
// that is being handed out: Bytes and Raw are only valid until the handler returns.
type Value struct {
	tag byte
	num float64
	raw []byte
}

// IsUndefined reports whether the value is undefined; one that isn't there is.
func (v Value) IsUndefined() bool { return v.tag == tagUndefined }

// IsNull reports whether the value is null.
func (v Value) IsNull() bool { return v.tag == tagNull }

// IsString reports whether the value is a string.
func (v Value) IsString() bool { return v.tag == tagLatin1 || v.tag == tagUTF8 }

// IsBytes reports whether the value was an ArrayBuffer or a view of one.
func (v Value) IsBytes() bool { return v.tag == tagBytes }

// Bool is the value of a boolean; false for anything else.
func (v Value) Bool() bool { return v.tag == tagTrue }

// Number is the value of a number; 0 for anything else.
func (v Value) Number() float64 { return v.num }

// Bytes is what a buffer held, or what a string is in UTF-8.
func (v Value) Bytes() []byte {
	if v.tag != tagLatin1 || isASCII(v.raw) {
		return v.raw
	}
	b := make([]byte, 0, len(v.raw)*2)
	for _, c := range v.raw {
		b = utf8.AppendRune(b, rune(c))
	}
	return b
}

// Text is the value of a string, as UTF-8.
func (v Value) Text() string { return string(v.Bytes()) }

// Raw is the value of a byte string: a byte for each code unit. Code units past 0xFF,
// which JavaScript's own checks keep out of headers, become '?'.
func (v Value) Raw() []byte {
	if v.tag != tagUTF8 || isASCII(v.raw) {
		return v.raw
	}
	b := make([]byte, 0, len(v.raw))
	for _, r := range string(v.raw) {
		if r > 0xFF {
			r = '?'
		}
		b = append(b, byte(r))
	}
	return b
}

// Latin1 is Raw as a string.
func (v Value) Latin1() string { return string(v.Raw()) }

func isASCII(b []byte) bool {
	for len(b) >= 8 {
		if binary.LittleEndian.Uint64(b)&0x8080808080808080 != 0 {
			return false
		}
		b = b[8:]
	}
	for _, c := range b {
		if c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// Message is what JavaScript posted. It belongs to the loop: a handler that needs any
// of it later copies it.
type Message struct {
	Op   Op
	ID   uint32
	args []Value
}

// Arg is the i-th argument, or undefined.
func (m *Message) Arg(i int) Value {
	if i < len(m.args) {
		return m.args[i]
	}
	return Value{}
}

// next cuts the first message off batch. The bridge made the batch, so it is well
// formed; the room of m.args is used again.
func (m *Message) next(batch []byte) (rest []byte) {
	size := binary.LittleEndian.Uint32(batch)
	body, rest := batch[4:4+size], batch[4+size:]
	m.Op, m.ID = Op(body[0]), binary.LittleEndian.Uint32(body[4:])
	argc := int(body[1])
	m.args = m.args[:0]
	p := body[8:]
	for range argc {
		v := Value{tag: p[0]}
		p = p[1:]
		switch v.tag {
		case tagNumber:
			v.num = math.Float64frombits(binary.LittleEndian.Uint64(p))
			p = p[8:]
		case tagLatin1, tagUTF8, tagBytes:
			n := binary.LittleEndian.Uint32(p)
			v.raw, p = p[4:4+n:4+n], p[4+n:]
		}
		m.args = append(m.args, v)
	}
	return rest
}
