package isolate

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"
)

// prelude is the least that an isolate needs: it hands each request to the app's
// default export and posts what that returns.
const prelude = `(native) => {
	let handler;
	const timers = new Map();
	globalThis.setTimeout = (f, ms) => { const id = timers.size + 1; timers.set(id, f); native.post(8, id, ms); return id };
	globalThis.native = native;
	const dispatch = (op, id, a, b) => {
		switch (op) {
		case 1: {
			const r = handler(a);
			if (r && r.then) r.then(v => native.post(1, id, v), e => native.post(4, id, String(e)));
			else native.post(1, id, r);
			break;
		}
		case 5: timers.get(id)(); timers.delete(id); break;
		case 6: handler = a.default; if (!handler) throw new Error("no handler"); break;
		}
	};
	return dispatch;
}`

type harness struct {
	scheduler *Scheduler
	snapshot  *Snapshot
	answers   chan string
	losses    chan Loss
}

func newHarness(t testing.TB) *harness {
	snap, err := NewSnapshot(prelude)
	if err != nil {
		t.Fatal(err)
	}
	return &harness{scheduler: NewScheduler(runtime.GOMAXPROCS(0)), snapshot: snap, answers: make(chan string, 100), losses: make(chan Loss, 10)}
}

func (h *harness) start(t testing.TB, code string) *Isolate {
	t.Helper()
	i, err := New(Options{
		Snapshot: h.snapshot, Scheduler: h.scheduler, App: "looper", Version: "f00", Memory: 64 << 20, CPU: 50 * time.Millisecond,
		Handle: func(m *Message) {
			h.answers <- fmt.Sprintf("%d %d %s", m.Op, m.ID, m.Arg(0).Text())
		},
		Lost: func(l Loss) { h.losses <- l },
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := i.Load(context.Background(), Module{Code: []byte(code), Name: "app.js", Env: "{}"}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { i.Close() })
	return i
}

func await[T any](t testing.TB, c chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(time.Minute):
		t.Fatal("nothing came")
		panic("unreachable")
	}
}

func TestMessages(t *testing.T) {
	for _, tc := range []struct{ name, code, want string }{
		{"at once", `export default x => "hi " + x`, "1 7 hi there"},
		{"later", `export default async x => { await 0; return x }`, "1 7 there"},
		{"timer", `export default x => new Promise(r => setTimeout(() => r("late"), 1))`, "1 7 late"},
		{"thrown", `export default async x => { throw new Error("no") }`, "4 7 Error: no"},
		{"two-byte string", `export default x => "\u20ac\u00e9"`, "1 7 €é"},
		{"one-byte string", `export default x => "\u00e9"`, "1 7 é"},
		{"bytes", `export default x => new Uint8Array([65, 66]).subarray(1)`, "1 7 B"},
		{"top-level await", `const v = await new Promise(r => setTimeout(() => r("set"), 1)); export default x => v`, "1 7 set"},
		{"clone", `export default x => JSON.stringify(native.structuredClone({a: [1, new Date(0)]}))`, `1 7 {"a":[1,"1970-01-01T00:00:00.000Z"]}`},
		{"utf8", `export default x => native.utf8Decode(native.utf8Encode("h\u00e9\u{1F600}"), true)`, "1 7 hé😀"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h := newHarness(t)
			i := h.start(t, tc.code)
			if !i.Send(InRequest, 7, Text("there")) {
				t.Fatal("not taken")
			}
			if got := await(t, h.answers); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

func TestLoadErrors(t *testing.T) {
	for _, tc := range []struct{ name, code, want string }{
		{"syntax", "let a;\nlet a;", "SyntaxError: Identifier 'a' has already been declared\n    at app.js:2:5"},
		{"thrown", "export default 1; null.x", "TypeError: Cannot read properties of null (reading 'x')\n    at app.js:1:24"},
		{"no handler", "export const a = 1", "no handler"},
		{"import", `import "fs"`, "cannot import fs"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h := newHarness(t)
			i, err := New(Options{Snapshot: h.snapshot, Scheduler: h.scheduler, Memory: 64 << 20, CPU: time.Second, Handle: func(*Message) {}, Lost: func(Loss) {}})
			if err != nil {
				t.Fatal(err)
			}
			defer i.Close()
			_, err = i.Load(context.Background(), Module{Code: []byte(tc.code), Name: "app.js", Env: "{}"})
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want %q", err, tc.want)
			}
		})
	}
}

func TestGuard(t *testing.T) {
	for _, tc := range []struct {
		name, code string
		want       []Cause
	}{
		{"endless loop", `export default x => { for (;;); }`, []Cause{LostCPU}},
		{"endless microtasks", `export default async x => { for (;;) await 0; }`, []Cause{LostCPU}},
		{"endless regular expression", `export default x => /^(a+)+$/.test("a".repeat(40) + "b")`, []Cause{LostCPU}},
		{"caught termination", `export default x => { for (;;) try { for (;;); } catch {} finally { for (;;); } }`, []Cause{LostCPU}},
		{"heap", `export default x => { const k = []; for (;;) k.push(new Array(1000).fill(x + k.length)) }`, []Cause{LostMemory, LostParked, LostCPU, LostAbandoned}},
		{"one big array", `export default x => new Array(2**27).fill(0).length`, []Cause{LostMemory, LostParked, LostCPU, LostAbandoned}},
		{"timer loop", `export default x => { setTimeout(() => { for (;;); }, 0); return new Promise(() => {}) }`, []Cause{LostCPU}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h := newHarness(t)
			good := h.start(t, `export default x => x`)
			i := h.start(t, tc.code)
			i.Send(InRequest, 1, Text("a"))
			l := await(t, h.losses)
			ok := false
			for _, w := range tc.want {
				ok = ok || l.Cause == w
			}
			if !ok {
				t.Errorf("lost by %q (%s), want one of %q", l.Cause, l.Detail, tc.want)
			}
			if i.Send(InRequest, 2) {
				t.Error("a lost isolate takes messages")
			}
			good.Send(InRequest, 3, Text("alive"))
			if got := await(t, h.answers); got != "1 3 alive" {
				t.Errorf("the other isolate answered %q", got)
			}
		})
	}
}

func TestBufferLimit(t *testing.T) {
	h := newHarness(t)
	i := h.start(t, `export default x => { const k = []; try { for (;;) k.push(new ArrayBuffer(1 << 20)) } catch (e) { return e.name + " " + (k.length < 70) } }`)
	i.Send(InRequest, 1)
	if got := await(t, h.answers); got != "1 1 RangeError true" {
		t.Errorf("got %q", got)
	}
}

func BenchmarkRequest(b *testing.B) {
	for _, batch := range []int{1, 8, 64} {
		b.Run(fmt.Sprint(batch), func(b *testing.B) {
			h := newHarness(b)
			i := h.start(b, `export default x => "hi"`)
			b.ReportAllocs()
			b.ResetTimer()
			for n := 0; n < b.N; n += batch {
				for k := range batch {
					i.Send(InRequest, uint32(k), Text("there"))
				}
				for range batch {
					<-h.answers
				}
			}
		})
	}
}
