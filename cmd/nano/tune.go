package main

import "runtime"

// floor is how much of Go's heap is never touched, in bytes: it makes the collector think
// that there is that much. The live heap of a server is a few MB, and what requests leave
// behind would be collected twenty times a second.
const floor = 8 << 20

// tune fits Go's runtime to a process in which threads are in V8 much of the time. It says
// how many cores there are; done ends it.
//
// Such a thread keeps a P, the right to run Go, until the runtime's monitor takes it away:
// so there is one a core beside those, or the monitor takes them all the time, which costs
// a tenth of all processor time.
func tune() (cores int, done func()) {
	cores = runtime.GOMAXPROCS(0)
	runtime.GOMAXPROCS(2 * cores)
	heap := make([]byte, floor)
	return cores, func() { runtime.KeepAlive(heap) }
}
