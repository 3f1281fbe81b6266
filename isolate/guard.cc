// The guard's hooks in V8: what happens when memory runs out, and how running
// JavaScript is stopped. Policy and clocks are guard.go's.
#include <signal.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <sched.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#include <algorithm>
#include <tuple>

#include "cell.h"

using namespace v8;

// Of V8's own logging.h, which is in the library but not among its headers: what V8
// calls on a failed check, just before it ends the process.
namespace v8::base {
void SetPrintStackTrace(void (*print)());
}

// In guard.go: nanoPark notes that the isolate with this id is lost, and never returns;
// nanoYield lets others run before it, and says whether any did.
extern "C" void nanoPark(unsigned long id, char* why);
extern "C" int nanoYield(unsigned long id, long took);

namespace {

// What a heap past its limit may still take while its termination takes hold.
constexpr size_t kGrace = 16 << 20;

// V8 asks for more room. The first times it gets a little, to unwind in; an optimised
// loop may never see the termination, and is parked at twice the limit.
size_t NearLimit(void* data, size_t current, size_t initial) {
  auto c = static_cast<nano_cell*>(data);
  size_t none = 0;
  c->first_limit.compare_exchange_strong(none, current);
  if (current > c->first_limit.load() * 2 + kGrace) nanoPark(c->id, const_cast<char*>("heap limit ignored"));
  c->Terminate(NANO_WHY_MEMORY);
  return current + kGrace;
}

// Threads of V8's own that ran out of memory in somebody's work.
std::atomic<int> lost_workers{0};

// V8 would now end the process. The thread waits for ever instead, with its heap.
void OnOOM(const char* location, const OOMDetails& details) {
  Isolate* iso = Isolate::TryGetCurrent();
  nano_cell* c = iso ? Cell(iso) : nullptr;
  if (!c) lost_workers++;
  nanoPark(c ? c->id : 0, const_cast<char*>(location ? location : "out of memory"));
}

// V8 ends the process for an array that is too long, too ("invalid size error"): no
// other hook tells of that.
void OnFatal() { OnOOM("failed check", OOMDetails()); }

void Measure(Isolate* iso, void* data) {
  auto c = static_cast<nano_cell*>(data);
  HeapStatistics h;
  iso->GetHeapStatistics(&h);
  c->heap_used.store(h.used_heap_size());
  c->heap_taken.store(h.total_heap_size() + h.malloced_memory());
  if (h.used_heap_size() + h.external_memory() > c->limit + kGrace) c->Terminate(NANO_WHY_MEMORY);
}

// The cell that this thread runs JavaScript of.
thread_local std::atomic<nano_cell*> running{nullptr};

// Of the real-time signals, one that neither the C library nor Go uses.
const int kFreeze = SIGRTMAX - 3;

uintptr_t ProgramCounter(const ucontext_t* u) {
#if defined(__x86_64__)
  return uintptr_t(u->uc_mcontext.gregs[REG_RIP]);
#elif defined(__aarch64__)
  return uintptr_t(u->uc_mcontext.pc);
#endif
}

// OnFreeze runs on a thread whose run was given up. Generated code holds no lock that
// others may want: where the thread is in that, it waits there for ever. In C++ it goes
// on, for the guard to try again.
void OnFreeze(int, siginfo_t*, void* context) {
  nano_cell* c = running.load();
  if (!c || !c->abandoned.load()) return;
  uintptr_t pc = ProgramCounter(static_cast<ucontext_t*>(context));
  for (auto& code : c->code)
    if (pc - code.start < code.size) {
      c->frozen.store(true);
      for (;;) pause();
    }
}

// What ends a process where nothing catches it.
constexpr int kCrashes[] = {SIGSEGV, SIGBUS, SIGILL, SIGTRAP, SIGFPE, SIGABRT};
struct sigaction next_handlers[NSIG];  // Go's
std::atomic<int> record{-1};
std::atomic<bool> recorded{false};

// Line is put together where nothing may be allocated or locked.
struct Line {
  char text[64 + kLabel + kName];
  size_t size = 0;
  void Add(const char* s) {
    while (*s && size < sizeof text) text[size++] = *s++;
  }
  void Add(uint64_t n) {
    char digits[21];
    char* p = digits + 20;
    *p = 0;
    do *--p = char('0' + n % 10);
    while (n /= 10);
    Add(p);
  }
};

void Record(nano_cell* c) {
  timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  uint32_t id = c->blame.load();
  auto& mark = c->marks[id % kMarks];
  Line line;
  line.Add(uint64_t(now.tv_sec) * 1000000000u + uint64_t(now.tv_nsec));
  line.Add(" ");
  line.Add(c->label);
  line.Add(" ");
  line.Add(id && mark.id.load() == id ? mark.name : "-");
  line.Add("\n");
  std::ignore = write(record.load(), line.text, line.size);
}

// OnCrash runs before the handler that was there. A signal to the process as a whole,
// such as a watchdog's, says nothing about the thread that it came to.
void OnCrash(int signal, siginfo_t* info, void* context) {
  nano_cell* c = running.load();
  if (c && record.load() >= 0 && info->si_code != SI_USER && !recorded.exchange(true)) Record(c);
  auto& next = next_handlers[signal];
  if (next.sa_flags & SA_SIGINFO) return next.sa_sigaction(signal, info, context);
  sigaction(signal, &next, nullptr);
  raise(signal);
}

// Yield runs where running JavaScript can be interrupted.
void Yield(Isolate*, void* data) {
  auto c = static_cast<nano_cell*>(data);
  c->yielding.store(false);
  if (nanoYield(c->id, ThreadTime() - c->turn.load()))
    c->turn.store(ThreadTime());
  else
    sched_yield();
}

}  // namespace

Slice::Slice(nano_cell* cell, uint32_t blame) : c(cell) {
  c->thread.store(ThreadID(), std::memory_order_relaxed);
  c->blame.store(blame, std::memory_order_relaxed);
  c->slice.store(++c->slices, std::memory_order_release);
  running.store(c, std::memory_order_relaxed);
}

Slice::~Slice() {
  running.store(nullptr, std::memory_order_relaxed);
  c->slice.store(0, std::memory_order_release);
}

int64_t ThreadTime() {
  timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return int64_t(t.tv_sec) * 1000000000 + t.tv_nsec;
}

uint64_t Monotonic() {
  timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return uint64_t(t.tv_sec) * 1000000000u + uint64_t(t.tv_nsec);
}

void FillRandom(uint8_t* p, size_t n) {
  while (n) {
    ssize_t got = getrandom(p, n, 0);
    if (got < 0) continue;  // EINTR; nothing else can happen once the pool is up
    p += got;
    n -= size_t(got);
  }
}

int ThreadID() {
  static thread_local int id = int(syscall(SYS_gettid));
  return id;
}

std::unique_ptr<BackingStore> NewStore(Isolate* iso, size_t n) {
  return ArrayBuffer::NewBackingStore(iso, n, BackingStoreInitializationMode::kUninitialized,
                                      BackingStoreOnFailureMode::kReturnNull);
}

bool Allocator::Take(size_t n) {
  size_t held = held_.fetch_add(n) + n;
  if (held + heap_.load() <= limit_) return true;
  held_.fetch_sub(n);
  return false;
}

void* Allocator::Allocate(size_t n) {
  if (!Take(n)) return nullptr;
  void* p = base_->Allocate(n);
  if (!p) held_.fetch_sub(n);
  return p;
}

void* Allocator::AllocateUninitialized(size_t n) {
  if (!Take(n)) return nullptr;
  void* p = base_->AllocateUninitialized(n);
  if (!p) held_.fetch_sub(n);
  return p;
}

void Allocator::Free(void* p, size_t n) {
  base_->Free(p, n);
  held_.fetch_sub(n);
}

void Allocator::Sync(Isolate* iso) {
  // Only where buffers matter: the statistics cost more than a small tick.
  if (held_.load() < limit_ / 4) return;
  HeapStatistics h;
  iso->GetHeapStatistics(&h);
  heap_.store(h.used_heap_size());
}

void nano_cell::Terminate(int reason) {
  int none = NANO_WHY_NONE;
  why.compare_exchange_strong(none, reason);
  iso->TerminateExecution();
}

void GuardProcess() {
  V8::SetFatalMemoryErrorCallback(OnOOM);
  base::SetPrintStackTrace(OnFatal);
  struct sigaction action{};
  action.sa_sigaction = OnFreeze;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART;
  sigfillset(&action.sa_mask);
  sigaction(kFreeze, &action, nullptr);
}

void GuardIsolate(nano_cell* c) {
  c->iso->SetOOMErrorHandler(OnOOM);
  c->iso->AddNearHeapLimitCallback(NearLimit, c);
}

void NoteCode(nano_cell* c) {
  void* start;
  const void* embedded;
  c->iso->GetCodeRange(&start, &c->code[0].size);
  c->code[0].start = uintptr_t(start);
  c->iso->GetEmbeddedCodeRange(&embedded, &c->code[1].size);
  c->code[1].start = uintptr_t(embedded);
}

extern "C" {

uint64_t nano_slice(nano_cell* c, uint32_t* blame, int* thread, uint32_t* tick, uint32_t* begun, int64_t* start) {
  uint64_t n = c->slice.load(std::memory_order_acquire);
  *blame = c->blame.load();
  *thread = c->thread.load();
  uint64_t b = c->begun.load();
  *tick = uint32_t(b >> 32);
  *begun = uint32_t(b);
  *start = c->turn.load();
  return n;
}

void nano_terminate(nano_cell* c, int why) { c->Terminate(why); }

int nano_why(nano_cell* c) { return c->why.load(); }

void nano_yield(nano_cell* c) {
  if (!c->yielding.exchange(true)) c->iso->RequestInterrupt(Yield, c);
}

int nano_freeze(nano_cell* c, int thread) {
  c->abandoned.store(true);
  if (!c->frozen.load()) syscall(SYS_tgkill, getpid(), thread, kFreeze);
  return c->frozen.load();
}

void nano_label(nano_cell* c, const char* label, size_t size) { memcpy(c->label, label, std::min(size, kLabel - 1)); }

void nano_mark(nano_cell* c, uint32_t id, const char* name, size_t size) {
  auto& mark = c->marks[id % kMarks];
  size = std::min(size, kName - 1);
  mark.id.store(0);
  memcpy(mark.name, name, size);
  mark.name[size] = 0;
  mark.id.store(id);
}

void nano_record(int file) {
  if (record.exchange(file) >= 0) return;
  struct sigaction action{};
  action.sa_sigaction = OnCrash;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART;
  sigfillset(&action.sa_mask);
  for (int signal : kCrashes) {
    sigaction(signal, nullptr, &next_handlers[signal]);
    sigaction(signal, &action, nullptr);
  }
}

int nano_lost_workers(void) { return lost_workers.load(); }

nano_stats nano_checked(nano_cell* c) {
  return {c->heap_used.load(), c->heap_taken.load(), 0, 0, c->allocator.Held(), 0};
}

void nano_check_memory(nano_cell* c) { c->iso->RequestInterrupt(Measure, c); }

}
