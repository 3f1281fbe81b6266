// What the bridge keeps for each isolate, and the small tools that its two files share.
#ifndef NANO_CELL_H
#define NANO_CELL_H

#include <atomic>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "bridge.h"
#include "libplatform/libplatform.h"
#include "v8.h"

uint64_t Monotonic();  // nanoseconds
int64_t ThreadTime();  // processor time of this thread, in nanoseconds
extern const uint64_t kStarted;
void FillRandom(uint8_t* p, size_t n);

// Allocator makes the array buffers of one isolate and refuses what would take heap
// and buffers together past the limit; JavaScript then sees a RangeError.
class Allocator : public v8::ArrayBuffer::Allocator {
 public:
  explicit Allocator(uint64_t limit) : limit_(limit) {}
  void* Allocate(size_t n) override;
  void* AllocateUninitialized(size_t n) override;
  void Free(void* p, size_t n) override;
  v8::PageAllocator* GetPageAllocator() override { return base_->GetPageAllocator(); }
  // Sync notes how much of the limit the heap takes, between two runs.
  void Sync(v8::Isolate* iso);
  size_t Held() const { return held_.load(); }

 private:
  bool Take(size_t n);
  const uint64_t limit_;
  std::atomic<size_t> held_{0}, heap_{0};
  std::unique_ptr<v8::ArrayBuffer::Allocator> base_{v8::ArrayBuffer::Allocator::NewDefaultAllocator()};
};

constexpr size_t kLabel = 128, kName = 60, kMarks = 64;  // with a byte for the end

struct nano_cell {
  nano_cell(uint64_t limit, uint64_t id) : limit(limit), id(id), allocator(limit) {}
  void Terminate(int why);

  const uint64_t limit, id;
  Allocator allocator;
  v8::Isolate* iso = nullptr;
  v8::StartupData blob{};
  v8::Global<v8::Context> context;
  v8::Global<v8::Function> dispatch, rejection;
  v8::Global<v8::Module> module;
  v8::Global<v8::Promise> loading;
  std::vector<uint8_t> out, cache;
  std::string error;
  bool rejected = false;

  // Read by the guard while JavaScript runs.
  std::atomic<uint64_t> slice{0};
  std::atomic<uint32_t> blame{0};
  std::atomic<int> thread{0}, why{NANO_WHY_NONE};
  std::atomic<uint64_t> begun{0};  // number of the tick << 32 | bytes of it
  std::atomic<size_t> heap_used{0}, heap_taken{0};
  uint64_t slices = 0;
  std::atomic<int64_t> turn{0};  // the thread's processor time when its turn began, ns
  int64_t took = 0;
  std::atomic<bool> yielding{false};   // it was asked to let others run
  std::atomic<size_t> first_limit{0};  // of the heap, before it was raised

  // Of a run that was given up: whether, whether its thread stands still, and where
  // generated code is.
  std::atomic<bool> abandoned{false}, frozen{false};
  struct {
    uintptr_t start;
    size_t size;
  } code[2]{};

  // For the record of a crash: whose isolate it is, and what logs call its latest requests.
  char label[kLabel]{};
  struct {
    std::atomic<uint32_t> id{0};
    char name[kName];
  } marks[kMarks];
};

inline nano_cell* Cell(v8::Isolate* iso) { return static_cast<nano_cell*>(iso->GetData(0)); }

inline v8::Local<v8::String> Text(v8::Isolate* iso, const char* s) {
  return v8::String::NewFromUtf8(iso, s).ToLocalChecked();
}

std::unique_ptr<v8::BackingStore> NewStore(v8::Isolate* iso, size_t n);
int ThreadID();

// Enter is the right to touch an isolate on this thread.
struct Enter {
  explicit Enter(nano_cell* c) : locker(c->iso), scope(c->iso), handles(c->iso) {}
  v8::Locker locker;
  v8::Isolate::Scope scope;
  v8::HandleScope handles;
};

// Turn is the work of one turn. It may be paused in between: what counts is what came
// after that. For a short one the clock on the wall will do, which costs less to ask.
struct Turn {
  explicit Turn(nano_cell* c) : c(c), began(Monotonic()) { c->turn.store(ThreadTime()); }
  ~Turn() {
    c->took = int64_t(Monotonic() - began);
    if (c->took > kShort) c->took = ThreadTime() - c->turn.load();
  }
  static constexpr int64_t kShort = 100'000;  // nanoseconds
  nano_cell* c;
  uint64_t began;
};

// Slice is one uninterrupted run of JavaScript: what the guard's clock measures.
struct Slice {
  Slice(nano_cell* c, uint32_t blame);
  ~Slice();
  nano_cell* c;
};

constexpr int kMaxArgs = 16;  // of a message

// Native is a function of natives.cc that the prelude gets. Their order is part of a snapshot.
struct Native {
  const char* name;
  v8::FunctionCallback call;
};
extern const std::vector<Native> kNatives;

void GuardProcess();
void GuardIsolate(nano_cell* c);
void NoteCode(nano_cell* c);

// Reader takes messages apart; op.go says how they are made.
class Reader {
 public:
  Reader(const uint8_t* p, size_t n) : start_(p), p_(p), end_(p + n) {}
  bool More() const { return p_ < end_; }
  size_t Offset() const { return size_t(p_ - start_); }
  int Next(v8::Isolate* iso, v8::Local<v8::Value>* argv, int room, uint32_t* id, bool* whole);

 private:
  template <class T>
  T Get() {
    T v;
    memcpy(&v, p_, sizeof v);
    p_ += sizeof v;
    return v;
  }
  v8::MaybeLocal<v8::Value> Arg(v8::Isolate* iso);
  const uint8_t *start_, *p_, *end_;
};

// Writer puts messages together.
class Writer {
 public:
  explicit Writer(std::vector<uint8_t>& out) : out_(out) {}
  void Begin(uint8_t op, uint8_t argc, uint32_t id);
  void Append(v8::Isolate* iso, v8::Local<v8::Value> v);
  void End();
  void Unhandled(uint32_t id, const std::string& text);

 private:
  template <class T>
  void Put(T v) {
    uint8_t* p = Room(sizeof v);
    memcpy(p, &v, sizeof v);
  }
  uint8_t* Room(size_t n) {
    size_t at = out_.size();
    out_.resize(at + n);
    return out_.data() + at;
  }
  std::vector<uint8_t>& out_;
  size_t start_ = 0;
};

#endif
