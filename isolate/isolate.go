package isolate

import (
	"context"
	"errors"
	"fmt"
	"runtime/cgo"
	"sync"
	"sync/atomic"
	"time"
)

// Options says what an isolate is made of.
type Options struct {
	Snapshot  *Snapshot
	Scheduler *Scheduler
	// App names the app that the isolate belongs to: apps take turns, not isolates.
	App string
	// Version tells the app's versions apart in the record of a crash.
	Version string
	// Memory is the most that heap and array buffers may hold together, in bytes.
	Memory int64
	// CPU is the most processor time that one uninterrupted run of JavaScript may take.
	CPU time.Duration
	// Handle takes what JavaScript posts, on the loop's goroutine: it must not block,
	// and the message is only valid until it returns.
	Handle func(*Message)
	// Handed is called when Handle has had all that a tick has posted; nil for nobody.
	Handed func()
	// Lost is called once, on a goroutine of its own, when the guard has taken the
	// isolate away. It is not called for Close.
	Lost func(Loss)
}

// Cause is why the guard took an isolate away.
type Cause string

// The causes.
const (
	LostCPU       Cause = "cpu"       // a run took more than CPU, and was ended
	LostMemory    Cause = "memory"    // it held more than Memory, and was ended
	LostAbandoned Cause = "abandoned" // a run that had to end did not: its thread is lost
	LostParked    Cause = "parked"    // V8 would have ended the process: its thread is lost
	LostEvicted   Cause = "evicted"   // it gave way: the process ran out of room for heaps
)

// Loss tells what became of an isolate that the guard took away.
type Loss struct {
	Cause  Cause
	Detail string
	// Blame is the request that ran at the end, 0 where none did.
	Blame uint32
	// Unstarted are the requests that JavaScript has not seen: they may run elsewhere.
	Unstarted []uint32
}

// ThreadLost reports whether the loss cost the process a thread and a heap for good.
func (l Loss) ThreadLost() bool { return l.Cause == LostAbandoned || l.Cause == LostParked }

// ErrClosed is what Load returns where the isolate was closed meanwhile.
var ErrClosed = errors.New("the isolate is closed")

// Isolate is one V8 isolate with its event loop. Its methods may be called from any
// goroutine.
type Isolate struct {
	opts   Options
	cell   cell
	handle cgo.Handle
	guard  watch // the scheduler's guard owns it

	born      atomic.Bool // cell is set
	abandoned atomic.Bool // by the guard, which has lowered the priority of its thread
	// alive guards ended: while it is held and ended is false, the cell can be asked and
	// terminated from outside of the loop. It is taken last.
	alive  sync.Mutex
	ended  bool
	memory atomic.Pointer[Memory]
	// busy is the processor time that JavaScript took, in ns, but for loading.
	busy     atomic.Int64
	usual    atomic.Int64 // how long JavaScript takes for a message, on average, in ns of wall clock
	measured int64        // busy when the memory was last measured; the loop's own

	// mu guards the fields below. It is never held while JavaScript runs.
	mu      sync.Mutex
	inbox   []byte // messages for JavaScript, not yet taken
	batch   []byte // messages that the current tick delivers; the loop's own, but for its end
	room    []byte // batch's memory
	ticking bool   // the batch is being delivered
	ticks   uint32 // how many there were; the loop's own, but for its end
	running bool   // a goroutine runs the loop, or will
	queued  int    // messages in inbox
	taken   int    // messages in batch, or more
	closed  bool   // no message is taken any more
	lost    bool   // by the guard: nothing enters V8 again but dispose
	gone    bool   // disposed of
	loading chan error
	timers  timers
}

// New makes an isolate from the snapshot. It fails where the process has no room for
// one more.
func New(opts Options) (*Isolate, error) {
	i := &Isolate{opts: opts}
	if err := opts.Scheduler.admit(i); err != nil {
		return nil, err
	}
	i.usual.Store(int64(newTick))
	i.timers.init(i.expire)
	i.handle = cgo.NewHandle(i)
	opts.Scheduler.do(i, func() time.Duration {
		// V8 may park the thread for good when it is out of memory for a new isolate.
		made := make(chan time.Duration, 1)
		go func() {
			made <- onThread(func() {
				i.cell = newCell(opts.Snapshot, opts.Memory, uint64(i.handle))
				i.cell.label(label(opts))
			})
		}()
		select {
		case took := <-made:
			i.born.Store(true)
			return took
		case <-time.After(10 * time.Second):
			go func() { // the machine may only be slow
				<-made
				i.cell.dispose()
				i.handle.Delete()
			}()
			return 0
		}
	})
	if !i.born.Load() {
		opts.Scheduler.forget(i)
		return nil, errors.New("V8 has no room for another isolate")
	}
	i.measure()
	return i, nil
}

// Module is an app's code, and what it finds when it is evaluated.
type Module struct {
	Code []byte
	Name string // in stack traces
	Env  string // the app's environment, as JSON
	// Cache is what CodeCache gave for the same code, or nil.
	Cache []byte
	// Assets says that the app has static files, which its code may ask for.
	Assets bool
}

// Load evaluates the app's module and finds its handler. rejected says that V8 didn't
// want the module's cache. The error is JavaScript's message and stack. Call it once,
// before Send.
func (i *Isolate) Load(ctx context.Context, m Module) (rejected bool, err error) {
	i.mu.Lock()
	i.running = true
	i.loading = make(chan error, 1)
	loading := i.loading
	i.mu.Unlock()

	var refused bool // for a caller that stays to hear it
	go func() {
		var st status
		i.opts.Scheduler.do(i, func() time.Duration {
			st, refused = i.cell.load(m)
			return i.cell.took()
		})
		i.handOut()
		i.loaded(st)
		i.run()
	}()
	select {
	case err = <-loading:
		return refused, err
	case <-ctx.Done():
		return false, fmt.Errorf("the module did not finish loading: %w", context.Cause(ctx))
	}
}

// loaded tells Load how the module fared, once it has.
func (i *Isolate) loaded(st status) {
	var err error
	switch st {
	case pending:
		return
	case thrown:
		err = i.cell.err()
	case terminated:
		err = i.endedError()
		i.lose(Loss{Cause: i.endedCause()})
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.loading != nil {
		i.loading <- err
		i.loading = nil
	}
}

func (i *Isolate) endedCause() Cause {
	if i.cell.why() == whyMemory {
		return LostMemory
	}
	return LostCPU
}

func (i *Isolate) endedError() error {
	switch i.cell.why() {
	case whyMemory:
		return fmt.Errorf("it took more memory than its limit of %d MiB", i.opts.Memory>>20)
	case whyClosed:
		return ErrClosed
	}
	return errors.New("it ran for too long without a pause")
}

// Send queues a message for JavaScript and sees to it that the loop runs. It reports
// false, and drops the message, where the isolate is closed or lost.
func (i *Isolate) Send(op Op, id uint32, args ...Arg) bool {
	sent, idle := i.Queue(op, id, args...)
	if idle {
		go i.run()
	}
	return sent
}

// Queue is Send for those who run the loop themselves: where it was idle, the caller sees
// to it that Run is called until that reports that there is no more.
func (i *Isolate) Queue(op Op, id uint32, args ...Arg) (sent, idle bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.closed {
		return false, false
	}
	i.inbox = appendMessage(i.inbox, op, id, args)
	i.queued++
	idle = !i.running
	i.running = true
	return true, idle
}

// Run is one tick of the loop, which must not run already. It reports whether another is to
// follow. It may take as long as JavaScript does, and where that runs away it never
// returns; before it waits for a turn it calls block. Lost and Handle are called meanwhile.
func (i *Isolate) Run(block func()) (again bool) {
	return i.take() && i.tick(block) && i.more()
}

// Work runs what is not JavaScript, but done for it, in a turn of the app. Options.Handle
// may call it, and nobody else: JavaScript doesn't run then.
func (i *Isolate) Work(f func()) {
	i.opts.Scheduler.do(i, func() time.Duration {
		took := onThread(f)
		i.busy.Add(int64(took))
		return took
	})
}

// promptTick is how long a message of a prompt isolate takes at the most.
const promptTick = 200 * time.Microsecond

// Prompt reports whether JavaScript deals with a message in no time, on average.
func (i *Isolate) Prompt() bool { return i.usual.Load() < int64(promptTick) }

// more reports whether the loop has more to do; otherwise it doesn't run any more.
func (i *Isolate) more() bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.closed || len(i.batch)+len(i.inbox) > 0 {
		return true
	}
	i.running = false
	return false
}

// CodeCache is what V8 compiled so far, for Load of the same code elsewhere; nil where
// JavaScript is running just now.
func (i *Isolate) CodeCache() []byte {
	if !i.enter() {
		return nil
	}
	defer i.leave()
	return i.cell.codeCache()
}

// Trim gives back memory that the isolate can do without, unless it is busy. It takes
// some milliseconds.
func (i *Isolate) Trim() {
	if !i.enter() {
		return
	}
	defer i.leave()
	i.cell.collect()
	i.measure()
}

// enter takes the loop's place; false where the loop runs.
func (i *Isolate) enter() bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.running || i.closed {
		return false
	}
	i.running = true
	return true
}

func (i *Isolate) leave() { go i.run() }

// Memory is what the isolate held when it was last measured, at most 100 ms of
// running ago.
func (i *Isolate) Memory() Memory { return *i.memory.Load() }

// Busy is how much processor time JavaScript has taken in this isolate after loading.
func (i *Isolate) Busy() time.Duration { return time.Duration(i.busy.Load()) }

// Close ends what runs and gives the isolate back. It doesn't wait. unstarted are requests
// that JavaScript will not see.
func (i *Isolate) Close() (unstarted []uint32) {
	i.mu.Lock()
	if i.closed {
		i.mu.Unlock()
		return nil
	}
	unstarted = requests(i.inbox) // what is in the batch may begin before the end
	i.closed = true
	i.timers.stop()
	start := !i.running
	i.running = true
	i.mu.Unlock()
	i.finish(start)
	return unstarted
}

// Evict takes the isolate away as the guard does, so that others have room. What it
// runs ends. It doesn't wait.
func (i *Isolate) Evict() {
	if i.living(func() {}) {
		i.lose(Loss{Cause: LostEvicted, Detail: "the process has no room for its memory"})
	}
	i.mu.Lock()
	start := !i.running
	i.running = true
	i.mu.Unlock()
	i.finish(start)
}

// finish has a closed isolate disposed of: by the loop, which ends soon if it runs.
func (i *Isolate) finish(start bool) {
	if start {
		go i.run()
		return
	}
	i.living(func() { i.cell.terminate(whyClosed) })
	i.opts.Scheduler.hurry(i)
}

// living runs f while the cell can't be disposed of, and reports false where it has been.
func (i *Isolate) living(f func()) bool {
	i.alive.Lock()
	defer i.alive.Unlock()
	if !i.ended {
		f()
	}
	return !i.ended
}
