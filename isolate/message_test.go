package isolate

import (
	"bytes"
	"math"
	"runtime"
	"strings"
	"testing"
	"unicode/utf8"
)

// FuzzMessage sends any values to JavaScript and back: they come back as they were, but
// for text that is none.
func FuzzMessage(f *testing.F) {
	snap, err := NewSnapshot(`(native) => {
		const dispatch = (op, id, ...args) => {
			if (op === 1) native.post(1, id, ...args.slice(0, 5));
		};
		return dispatch;
	}`)
	if err != nil {
		f.Fatal(err)
	}
	type message struct {
		id   uint32
		args []Value
	}
	came := make(chan message, 1)
	s := NewScheduler(runtime.GOMAXPROCS(0))
	f.Cleanup(s.Close)
	i, err := New(Options{
		Snapshot: snap, Scheduler: s, App: "test", Memory: 256 << 20, CPU: 5e9, Lost: func(Loss) {},
		Handle: func(m *Message) {
			c := message{id: m.ID}
			for n := range 5 {
				v := m.Arg(n)
				v.raw = bytes.Clone(v.raw)
				c.args = append(c.args, v)
			}
			came <- c
		},
	})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { i.Close() })
	for _, text := range []string{"", "a", "\x00", "\xff\xfe", "é", "€", "\xed\xa0\x80", "\U0010ffff\ufeff", strings.Repeat("é\xff€", 30000)} {
		f.Add(uint32(7), text, []byte(text), 1.5, uint8(len(text)))
	}
	f.Add(uint32(math.MaxUint32), "x", []byte{0}, math.NaN(), uint8(255))
	f.Add(uint32(0), "\ufeffx", []byte("\r\n\r\n"), math.Inf(-1), uint8(3))
	f.Fuzz(func(t *testing.T, id uint32, text string, data []byte, number float64, kind uint8) {
		fifth := []Arg{Null(), Undefined(), Bool(true), Bool(false)}[kind%4]
		if !i.Send(InRequest, id, Text(text), Latin1(text), Bytes(data), Number(number), fifth) {
			t.Fatal("not taken")
		}
		m := await(t, came)
		if m.id != id {
			t.Errorf("id %d came back as %d", id, m.id)
		}
		if got := m.args[0]; !got.IsString() || utf8.ValidString(text) && got.Text() != text || !utf8.ValidString(got.Text()) {
			t.Errorf("text %q came back as %q", text, got.Text())
		}
		if got := m.args[1]; !got.IsString() || got.Latin1() != text {
			t.Errorf("Latin-1 %q came back as %q", text, got.Latin1())
		}
		if got := m.args[2]; !got.IsBytes() || !bytes.Equal(got.Bytes(), data) {
			t.Errorf("bytes %q came back as %q", data, got.Bytes())
		}
		if got := m.args[3].Number(); got != number && !(math.IsNaN(got) && math.IsNaN(number)) {
			t.Errorf("%v came back as %v", number, got)
		}
		if got := m.args[4]; got.tag != fifth.tag {
			t.Errorf("tag %d came back as %d", fifth.tag, got.tag)
		}
	})
}
