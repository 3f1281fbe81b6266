// Package isolate runs JavaScript: V8 isolates, each with an event loop and a guard.
//
// It owns V8 (a C++ bridge of its own, bridge.cc, linked with the library and the
// headers of the v8go module), the order of a tick, timers, the right to use a core,
// and everything that keeps one isolate from harming the process. It does not know
// what a request is, nor HTTP, nor the web platform: those talk to JavaScript by
// messages (op.go).
package isolate

// #cgo CXXFLAGS: -fno-rtti -fPIC -std=c++20 -O2 -Wall -I${SRCDIR}/v8include
// #cgo CXXFLAGS: -DV8_COMPRESS_POINTERS -DV8_31BIT_SMIS_ON_64BIT_ARCH -DV8_ENABLE_SANDBOX
// #include <stdlib.h>
// #include "bridge.h"
import "C"

import (
	"errors"
	"fmt"
	"runtime"
	"sync"
	"time"
	"unsafe"
)

// flags are V8's. Nothing else drives V8's task queue while an isolate is idle, so
// WebAssembly must compile on the spot.
// Collections are a matter of the isolate's own thread: there they take the app's turn
// and its processor time, and no thread of V8's that all share can run out of memory in
// one app's work, and then be missed by all. The compiler between the baseline one and
// the one that optimises is left out: with a hundred apps its jobs held 4 MB each, and
// pages were rendered no faster. The baseline compiler works on the spot: where it waits for
// another thread, an app that is asked now and then stays in the interpreter for thousands of requests.
const flags = "--no-wasm-async-compilation --js-base-64 --js-float16array --stack-size=900 --single-threaded-gc " +
	"--no-maglev --always-sparkplug --no-concurrent-sparkplug"

// startV8 is the one piece of state of the whole process: V8 can be started once.
var startV8 = sync.OnceFunc(func() {
	f := C.CString(flags)
	defer C.free(unsafe.Pointer(f))
	C.nano_init(f)
})

// Snapshot is a heap in which the prelude has run already: isolates start from it in
// a fraction of the time. It is never freed: every isolate of the process reads it.
type Snapshot struct{ s *C.nano_snapshot }

// NewSnapshot runs the prelude, whose value must be a function (native) => dispatch,
// and keeps what it made. The prelude is ASCII. It takes some 100 ms; any goroutine may
// call it.
func NewSnapshot(prelude string) (*Snapshot, error) {
	startV8()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if !isASCII([]byte(prelude)) {
		return nil, errors.New("cannot run the prelude: it is not ASCII")
	}
	// V8 reads the copy for as long as the process runs, whenever a function of the
	// prelude is compiled: so it isn't in the heap of every isolate.
	source := C.CString(prelude)
	var reason *C.char
	s := C.nano_take(source, C.size_t(len(prelude)), &reason)
	if reason != nil {
		defer C.free(unsafe.Pointer(reason))
		return nil, fmt.Errorf("cannot run the prelude: %s", C.GoString(reason))
	}
	return &Snapshot{s}, nil
}

// RestoreSnapshot is NewSnapshot from the bytes that an earlier one of this very program
// and prelude had. It takes no time; but V8 trusts the bytes: whoever made them can do
// anything in this process.
func RestoreSnapshot(prelude string, data []byte) *Snapshot {
	startV8()
	source := C.CString(prelude) // as in NewSnapshot
	return &Snapshot{C.nano_restore(source, C.size_t(len(prelude)), unsafe.Pointer(unsafe.SliceData(data)), C.size_t(len(data)))}
}

// Bytes are the snapshot as RestoreSnapshot takes it. The code caches of isolates that
// started from it are only good for isolates that started from the same bytes: V8 does
// not check that, and ends the process.
func (s *Snapshot) Bytes() []byte { return goBytes(C.nano_snapshot_data(s.s)) }

// Size is how many bytes the snapshot takes.
func (s *Snapshot) Size() int { return len(s.Bytes()) }

// cell is an isolate as the bridge sees it. Only one goroutine at a time may call
// the methods that enter V8; terminate, checkMemory and slice any at any time.
type cell struct{ c *C.nano_cell }

type status int

const (
	ok         status = C.NANO_OK
	thrown     status = C.NANO_THROWN
	terminated status = C.NANO_TERMINATED
	pending    status = C.NANO_PENDING
)

type why int

const (
	whyNone   why = C.NANO_WHY_NONE
	whyCPU    why = C.NANO_WHY_CPU
	whyMemory why = C.NANO_WHY_MEMORY
	whyClosed why = C.NANO_WHY_CLOSED
)

func newCell(s *Snapshot, limit int64, id uint64) cell {
	return cell{C.nano_new(s.s, C.uint64_t(limit), C.uint64_t(id))}
}

// label and mark are for the record of a crash (crash.go).
func (c cell) label(text string) {
	C.nano_label(c.c, (*C.char)(unsafe.Pointer(unsafe.StringData(text))), C.size_t(len(text)))
}

func (c cell) mark(id uint32, name string) {
	C.nano_mark(c.c, C.uint32_t(id), (*C.char)(unsafe.Pointer(unsafe.StringData(name))), C.size_t(len(name)))
}

func (c cell) load(m Module) (st status, cacheRejected bool) {
	var pin runtime.Pinner
	defer pin.Unpin()
	chars := func(p *byte, n int) (*C.char, C.size_t) {
		if n == 0 {
			return nil, 0
		}
		pin.Pin(p)
		return (*C.char)(unsafe.Pointer(p)), C.size_t(n)
	}
	cm := C.nano_module{assets: C.bool(m.Assets)}
	cm.source, cm.source_size = chars(unsafe.SliceData(m.Code), len(m.Code))
	cm.name, cm.name_size = chars(unsafe.StringData(m.Name), len(m.Name))
	cm.env, cm.env_size = chars(unsafe.StringData(m.Env), len(m.Env))
	cache, n := chars(unsafe.SliceData(m.Cache), len(m.Cache))
	cm.cache = C.nano_bytes{(*C.uint8_t)(unsafe.Pointer(cache)), n}
	var rejected C.int
	r := C.nano_load(c.c, &cm, &rejected)
	return status(r), rejected != 0
}

// took is how much processor time the last of load, settle and tick took, since it last
// yielded.
func (c cell) took() time.Duration { return time.Duration(C.nano_took(c.c)) }

func (c cell) settle() status { return status(C.nano_settle(c.c)) }

// tick delivers in, as the tick of that number, and says how many bytes of it were begun.
func (c cell) tick(in []byte, number uint32, budget int64) (status, int) {
	var consumed C.size_t
	r := C.nano_tick(c.c, (*C.uint8_t)(unsafe.SliceData(in)), C.size_t(len(in)), C.uint32_t(number), C.uint64_t(budget), &consumed)
	return status(r), int(consumed)
}

// out is what JavaScript posted in the last call; valid until the next.
func (c cell) out() []byte { return goBytes(C.nano_out(c.c)) }

func (c cell) err() error { return errors.New(string(goBytes(C.nano_error(c.c)))) }

func (c cell) codeCache() []byte {
	b := goBytes(C.nano_cache(c.c))
	return append([]byte(nil), b...)
}

func (c cell) terminate(w why) { C.nano_terminate(c.c, C.int(w)) }
func (c cell) why() why        { return why(C.nano_why(c.c)) }
func (c cell) checkMemory()    { C.nano_check_memory(c.c) }
func (c cell) freeze(thread int) bool {
	return C.nano_freeze(c.c, C.int(thread)) != 0
}
func (c cell) yield()   { C.nano_yield(c.c) }
func (c cell) collect() { C.nano_collect(c.c) }
func (c cell) dispose() { C.nano_dispose(c.c) }

// trim gives memory that was freed back to the system.
func trim() { C.nano_trim() }

// slice is one uninterrupted run of JavaScript as the guard sees it from outside.
type slice struct {
	number uint64 // 0: none runs
	blame  uint32
	thread int
	tick   uint32        // the number of the tick that it is in
	begun  int           // of that tick's bytes
	start  time.Duration // the thread's processor time when its turn began
}

func (c cell) slice() slice {
	var blame C.uint32_t
	var thread C.int
	var tick, begun C.uint32_t
	var start C.int64_t
	n := C.nano_slice(c.c, &blame, &thread, &tick, &begun, &start)
	return slice{uint64(n), uint32(blame), int(thread), uint32(tick), int(begun), time.Duration(start)}
}

// Memory is what an isolate holds, in bytes.
type Memory struct {
	Heap     int64 // live objects and what the collector has not taken yet
	Reserved int64 // what the heap takes of the process
	Buffers  int64 // array buffers, outside the heap
}

// Total is what counts against the limit.
func (m Memory) Total() int64 { return m.Heap + m.Buffers }

func (c cell) measure() Memory {
	s := C.nano_measure(c.c)
	return Memory{Heap: int64(s.heap_used), Reserved: int64(s.heap_total + s.malloced), Buffers: int64(s.buffers)}
}

// checked is what was found when a run was last interrupted to look; Reserved is 0 if none
// was since the last measure.
func (c cell) checked() Memory {
	s := C.nano_checked(c.c)
	return Memory{Heap: int64(s.heap_used), Reserved: int64(s.heap_total), Buffers: int64(s.buffers)}
}

func goBytes(b C.nano_bytes) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(b.data)), int(b.size))
}

func recordCrashes(file int) { C.nano_record(C.int(file)) }

// LostWorkers counts threads of V8's own that the process has lost for good: they ran
// out of memory in some isolate's work.
func LostWorkers() int { return int(C.nano_lost_workers()) }

// V8Version is the version of V8 that is linked in.
func V8Version() string { return C.GoString(C.nano_v8_version()) }
