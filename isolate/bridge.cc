// Isolates, their snapshot, and the messages in and out of them. The guard's part of
// the bridge is guard.cc; what JavaScript calls is natives.cc.
#include "cell.h"

#include <malloc.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>

using namespace v8;

namespace {

Platform* host;  // threads and task queues for V8; lives as long as the process

constexpr uint64_t kMaxYoung = 24 << 20;
constexpr int kKept = 4 << 20;  // bytes

// The prelude's text, outside of V8's heap: one for all isolates.
class Source : public String::ExternalOneByteStringResource {
 public:
  Source(const char* data, size_t length) : data_(data), length_(length) {}
  const char* data() const override { return data_; }
  size_t length() const override { return length_; }
  void Dispose() override {}

 private:
  const char* data_;
  size_t length_;
};

// Message and stack of what was caught, for people: "TypeError: x\n    at f (…)".
std::string Describe(Isolate* iso, TryCatch& caught) {
  Local<Context> ctx = iso->GetCurrentContext();
  Local<Value> stack;
  // Asking for the stack or the text may run the app's code; what that throws is dropped.
  TryCatch inner(iso);
  std::string text;
  auto add = [&](Local<Value> v) {
    String::Utf8Value s(iso, v);
    if (*s) text.append(*s, s.length());
  };
  if (caught.StackTrace(ctx).ToLocal(&stack) && stack->IsString() && stack.As<String>()->Length() > 0) {
    add(stack);
  } else if (!caught.Exception().IsEmpty()) {
    add(caught.Exception());
  }
  Local<v8::Message> m = caught.Message();
  if (!m.IsEmpty() && text.find("\n    at ") == std::string::npos) {  // a syntax error has its place here only
    text += "\n    at ";
    add(m->GetScriptResourceName());
    text += ":" + std::to_string(m->GetLineNumber(ctx).FromMaybe(0)) + ":" +
            std::to_string(m->GetStartColumn(ctx).FromMaybe(0) + 1);
  }
  return text;
}

int Failed(nano_cell* c, TryCatch& caught) {
  if (caught.HasTerminated() || c->iso->IsExecutionTerminating()) return NANO_TERMINATED;
  c->error = Describe(c->iso, caught);
  return NANO_THROWN;
}

// Rejections are noted while JavaScript runs and judged after the microtasks.
void OnRejection(PromiseRejectMessage m) {
  auto event = m.GetEvent();
  if (event != kPromiseRejectWithNoHandler && event != kPromiseHandlerAddedAfterReject) return;
  Isolate* iso = Isolate::GetCurrent();
  nano_cell* c = Cell(iso);
  if (!c || c->rejection.IsEmpty() || iso->IsExecutionTerminating()) return;
  HandleScope scope(iso);
  TryCatch caught(iso);
  Local<Value> args[] = {Integer::New(iso, event == kPromiseRejectWithNoHandler ? 0 : 1), m.GetPromise(),
                         event == kPromiseRejectWithNoHandler ? m.GetValue() : Local<Value>(Undefined(iso))};
  c->rejected = !c->rejection.Get(iso)->Call(iso->GetCurrentContext(), Undefined(iso), 3, args).IsEmpty() || c->rejected;
}

// Two texts in one; where that would be longer than V8's strings can be, the first.
Local<String> Joined(Isolate* iso, const char* first, Local<String> second) {
  Local<String> text = Text(iso, first);
  Local<String> both = String::Concat(iso, text, second);
  return both.IsEmpty() ? text : both;
}

MaybeLocal<Promise> OnDynamicImport(Local<Context> ctx, Local<Data>, Local<Value>, Local<String> name,
                                    Local<FixedArray>) {
  Isolate* iso = Isolate::GetCurrent();
  Local<Promise::Resolver> r;
  if (!Promise::Resolver::New(ctx).ToLocal(&r)) return MaybeLocal<Promise>();
  Local<String> text = Joined(iso, "cannot import at run time, only what the bundler could see: ", name);
  r->Reject(ctx, Exception::TypeError(text)).FromMaybe(false);
  return r->GetPromise();
}

MaybeLocal<Module> OnImport(Local<Context> ctx, Local<String> name, Local<FixedArray>, Local<Module>) {
  Isolate* iso = Isolate::GetCurrent();
  iso->ThrowException(Exception::TypeError(Joined(iso, "cannot import ", name)));
  return MaybeLocal<Module>();
}

void OnImportMeta(Local<Context> ctx, Local<Module>, Local<Object> meta) {
  Isolate* iso = Isolate::GetCurrent();
  meta->CreateDataProperty(ctx, Text(iso, "url"), Text(iso, "file:///worker.js")).FromMaybe(false);
}

// Runs the microtasks, tells JavaScript of promises that stayed rejected.
bool Checkpoint(nano_cell* c, Local<Context> ctx) {
  c->iso->PerformMicrotaskCheckpoint();
  for (int round = 0; c->rejected && !c->iso->IsExecutionTerminating() && round < 8; round++) {
    c->rejected = false;
    Local<Value> args[] = {Integer::New(c->iso, 8), Integer::New(c->iso, 0)};
    if (c->dispatch.Get(c->iso)->Call(ctx, Undefined(c->iso), 2, args).IsEmpty()) break;
    c->iso->PerformMicrotaskCheckpoint();
  }
  return !c->iso->IsExecutionTerminating();
}

// Calls dispatch(7, 0, env, name, assets): what the module finds when it is evaluated.
int Prepare(nano_cell* c, Local<Context> ctx, const nano_module* m) {
  Isolate* iso = c->iso;
  TryCatch caught(iso);
  Local<String> env, name;
  if (!String::NewFromUtf8(iso, m->env, NewStringType::kNormal, int(m->env_size)).ToLocal(&env) ||
      !String::NewFromUtf8(iso, m->name, NewStringType::kNormal, int(m->name_size)).ToLocal(&name))
    return Failed(c, caught);
  Local<Value> args[] = {Integer::New(iso, 7), Integer::New(iso, 0), env, name, Boolean::New(iso, m->assets)};
  if (c->dispatch.Get(iso)->Call(ctx, Undefined(iso), 5, args).IsEmpty()) return Failed(c, caught);
  return NANO_OK;
}

// Calls dispatch(6, 0, namespace): finds the handler.
int Announce(nano_cell* c, Local<Context> ctx) {
  Isolate* iso = c->iso;
  TryCatch caught(iso);
  Local<Value> args[] = {Integer::New(iso, 6), Integer::New(iso, 0), c->module.Get(iso)->GetModuleNamespace()};
  if (c->dispatch.Get(iso)->Call(ctx, Undefined(iso), 3, args).IsEmpty()) return Failed(c, caught);
  if (!Checkpoint(c, ctx)) return NANO_TERMINATED;
  return NANO_OK;
}

int Settle(nano_cell* c, Local<Context> ctx) {
  auto promise = c->loading.Get(c->iso);
  switch (promise->State()) {
    case Promise::kPending:
      return NANO_PENDING;
    case Promise::kFulfilled:
      c->loading.Reset();
      return Announce(c, ctx);
    default: {
      c->loading.Reset();
      TryCatch caught(c->iso);
      c->iso->ThrowException(promise->Result());
      return Failed(c, caught);
    }
  }
}

}  // namespace

const uint64_t kStarted = Monotonic();

extern "C" {

const char* nano_v8_version(void) { return V8::GetVersion(); }

void nano_init(const char* flags) {
  // The C library would raise both with what is freed, and each of its arenas keep up to 64 MB for good.
  mallopt(M_MMAP_THRESHOLD, kKept);
  mallopt(M_TRIM_THRESHOLD, kKept);
  V8::SetFlagsFromString(flags);
  host = platform::NewDefaultPlatform().release();
  V8::InitializePlatform(host);
  V8::Initialize();
  GuardProcess();
}

// A snapshot names C++ functions, and the prelude's text, by their place in references.
struct nano_snapshot {
  nano_snapshot(const char* prelude, size_t size) : source(prelude, size) {
    for (auto& n : kNatives) references.push_back(reinterpret_cast<intptr_t>(n.call));
    references.push_back(reinterpret_cast<intptr_t>(&source));
    references.push_back(0);
  }

  Source source;
  std::vector<intptr_t> references;
  StartupData blob{nullptr, 0};
};

nano_bytes nano_snapshot_data(const nano_snapshot* s) {
  return {reinterpret_cast<const uint8_t*>(s->blob.data), size_t(s->blob.raw_size)};
}

nano_snapshot* nano_restore(const char* prelude, size_t size, const void* data, size_t data_size) {
  auto s = new nano_snapshot(prelude, size);
  auto copy = new char[data_size];
  memcpy(copy, data, data_size);
  s->blob = {copy, int(data_size)};
  return s;
}

nano_snapshot* nano_take(const char* prelude, size_t size, char** error) {
  *error = nullptr;
  auto s = new nano_snapshot(prelude, size);
  nano_cell cell(UINT64_MAX, 0);
  Isolate::CreateParams params;
  params.array_buffer_allocator = &cell.allocator;
  params.external_references = s->references.data();
  SnapshotCreator creator(params);
  Isolate* iso = creator.GetIsolate();
  cell.iso = iso;
  iso->SetData(0, &cell);
  {
    HandleScope scope(iso);
    Local<Context> ctx = Context::New(iso);
    Context::Scope in(ctx);
    TryCatch caught(iso);
    Local<Object> native = Object::New(iso);
    for (auto& n : kNatives) {
      Local<Function> f = FunctionTemplate::New(iso, n.call, {}, {}, 0, ConstructorBehavior::kThrow)
                              ->GetFunction(ctx).ToLocalChecked();
      f->SetName(Text(iso, n.name));
      native->Set(ctx, Text(iso, n.name), f).Check();
    }
    Local<String> source;
    Local<Script> script;
    Local<Value> make, dispatch = Undefined(iso), rejection, awake;
    Local<Value> args[] = {native};
    ScriptOrigin origin(Text(iso, "nano:prelude"));
    bool ok = String::NewExternalOneByte(iso, &s->source).ToLocal(&source) &&
              Script::Compile(ctx, source, &origin).ToLocal(&script) && script->Run(ctx).ToLocal(&make) &&
              make->IsFunction() && make.As<Function>()->Call(ctx, Undefined(iso), 1, args).ToLocal(&dispatch);
    if (ok) {
      iso->PerformMicrotaskCheckpoint();
      ok = dispatch->IsFunction() && dispatch.As<Object>()->Get(ctx, Text(iso, "rejection")).ToLocal(&rejection) &&
           dispatch.As<Object>()->Get(ctx, Text(iso, "awake")).ToLocal(&awake);
    }
    if (!ok) {
      std::string text = caught.HasCaught() ? Describe(iso, caught) : "its value is not a function (native) => dispatch";
      *error = strdup(text.c_str());
    } else {
      creator.AddData(ctx, dispatch.As<Function>());
      creator.AddData(ctx, rejection);
      creator.AddData(ctx, awake);
    }
    creator.SetDefaultContext(ctx);
  }
  s->blob = creator.CreateBlob(SnapshotCreator::FunctionCodeHandling::kKeep);
  if (!*error) return s;
  delete[] s->blob.data;
  return nullptr;  // s stays: the isolate's string table may still name its text
}

nano_cell* nano_new(const nano_snapshot* s, uint64_t limit, uint64_t id) {
  auto c = new nano_cell(limit, id);
  c->blob = s->blob;
  Isolate::CreateParams params;
  params.array_buffer_allocator = &c->allocator;
  params.snapshot_blob = &c->blob;
  params.external_references = s->references.data();
  params.constraints.ConfigureDefaultsFromHeapSize(0, limit);
  // More than V8 would choose: what a page that is rendered makes outlives fewer collections. But
  // buffers live as long as the young objects that hold them.
  params.constraints.set_max_young_generation_size_in_bytes(std::min<uint64_t>(limit / 64, kMaxYoung));
  c->iso = Isolate::Allocate();
  c->iso->SetData(0, c);
  GuardIsolate(c);
  Isolate::Initialize(c->iso, params);
  Enter in(c);
  NoteCode(c);
  c->iso->SetMicrotasksPolicy(MicrotasksPolicy::kExplicit);
  c->iso->SetAllowAtomicsWait(false);  // nothing could interrupt it
  c->iso->SetCaptureStackTraceForUncaughtExceptions(true, 20);
  c->iso->SetPromiseRejectCallback(OnRejection);
  c->iso->SetHostImportModuleDynamicallyCallback(OnDynamicImport);
  c->iso->SetHostInitializeImportMetaObjectCallback(OnImportMeta);
  Local<Context> ctx = Context::New(c->iso);
  c->context.Reset(c->iso, ctx);
  Context::Scope scope(ctx);
  c->dispatch.Reset(c->iso, ctx->GetDataFromSnapshotOnce<Function>(0).ToLocalChecked());
  Local<Value> rejection;
  if (ctx->GetDataFromSnapshotOnce<Value>(1).ToLocal(&rejection) && rejection->IsFunction())
    c->rejection.Reset(c->iso, rejection.As<Function>());
  // What the prelude could not do yet while the snapshot was made: WebAssembly comes with the context.
  Local<Value> awake;
  if (ctx->GetDataFromSnapshotOnce<Value>(2).ToLocal(&awake) && awake->IsFunction())
    std::ignore = awake.As<Function>()->Call(ctx, Undefined(c->iso), 0, nullptr);
  return c;
}

int nano_load(nano_cell* c, const nano_module* m, int* cache_rejected) {
  Turn turn(c);
  Enter in(c);
  Slice slice(c, 0);
  Isolate* iso = c->iso;
  Local<Context> ctx = c->context.Get(iso);
  Context::Scope scope(ctx);
  TryCatch caught(iso);
  Local<String> text, origin_name;
  if (m->source_size > String::kMaxLength ||
      !String::NewFromUtf8(iso, m->source, NewStringType::kNormal, int(m->source_size)).ToLocal(&text) ||
      !String::NewFromUtf8(iso, m->name, NewStringType::kNormal, int(m->name_size)).ToLocal(&origin_name))
    return Failed(c, caught);
  ScriptOrigin origin(origin_name, 0, 0, false, -1, Local<Value>(), false, false, true);
  ScriptCompiler::CachedData* data = nullptr;
  if (m->cache.size) data = new ScriptCompiler::CachedData(m->cache.data, int(m->cache.size));
  ScriptCompiler::Source src(text, origin, data);
  Local<Module> module;
  auto options = data ? ScriptCompiler::kConsumeCodeCache : ScriptCompiler::kNoCompileOptions;
  if (!ScriptCompiler::CompileModule(iso, &src, options).ToLocal(&module)) return Failed(c, caught);
  *cache_rejected = data && src.GetCachedData()->rejected;
  c->module.Reset(iso, module);
  if (!module->InstantiateModule(ctx, OnImport).FromMaybe(false)) return Failed(c, caught);
  if (int status = Prepare(c, ctx, m); status != NANO_OK) return status;
  Local<Value> result;
  if (!module->Evaluate(ctx).ToLocal(&result)) return Failed(c, caught);
  if (!Checkpoint(c, ctx)) return NANO_TERMINATED;
  c->loading.Reset(iso, result.As<Promise>());
  return Settle(c, ctx);
}

int nano_settle(nano_cell* c) {
  Turn turn(c);
  Enter in(c);
  Slice slice(c, 0);
  Local<Context> ctx = c->context.Get(c->iso);
  Context::Scope scope(ctx);
  return Settle(c, ctx);
}

nano_bytes nano_cache(nano_cell* c) {
  Enter in(c);
  Context::Scope scope(c->context.Get(c->iso));
  std::unique_ptr<ScriptCompiler::CachedData> data(
      ScriptCompiler::CreateCodeCache(c->module.Get(c->iso)->GetUnboundModuleScript()));
  if (!data) return {nullptr, 0};
  c->cache.assign(data->data, data->data + data->length);
  return {c->cache.data(), c->cache.size()};
}

int nano_tick(nano_cell* c, const uint8_t* in, size_t size, uint32_t number, uint64_t budget, size_t* consumed) {
  Turn turn(c);
  Enter enter(c);
  Isolate* iso = c->iso;
  Local<Context> ctx = c->context.Get(iso);
  Context::Scope scope(ctx);
  Local<Function> dispatch = c->dispatch.Get(iso);
  Local<Value> undefined = Undefined(iso);
  c->out.clear();
  c->error.clear();
  const uint64_t tick = uint64_t(number) << 32;
  c->begun.store(tick);
  Reader r(in, size);
  uint64_t deadline = Monotonic() + budget;
  int status = NANO_OK;
  while (status == NANO_OK && r.More()) {
    HandleScope handles(iso);
    Local<Value> argv[kMaxArgs + 2];
    uint32_t id;
    bool whole;
    int argc = r.Next(iso, argv, kMaxArgs + 2, &id, &whole);
    c->begun.store(tick | r.Offset());
    if (!whole) {  // no memory for an argument: the isolate is over its limit
      c->Terminate(NANO_WHY_MEMORY);
      status = NANO_TERMINATED;
      break;
    }
    Slice slice(c, id);
    TryCatch caught(iso);
    Local<Value> result;
    if (!dispatch->Call(ctx, undefined, argc, argv).ToLocal(&result)) {
      status = Failed(c, caught);
      if (status == NANO_THROWN) {  // the prelude lets nothing through but what breaks it
        Writer(c->out).Unhandled(id, c->error);
        status = NANO_OK;
      }
    }
    if (status == NANO_OK && !Checkpoint(c, ctx)) status = NANO_TERMINATED;
    if (Monotonic() > deadline || c->out.size() > c->limit) break;
  }
  if (status == NANO_OK) {
    Slice slice(c, 0);
    while (!iso->IsExecutionTerminating() && platform::PumpMessageLoop(host, iso)) {
    }
    if (!Checkpoint(c, ctx)) status = NANO_TERMINATED;
  }
  c->allocator.Sync(iso);
  *consumed = r.Offset();
  return status;
}

int64_t nano_took(nano_cell* c) { return c->took; }

nano_bytes nano_out(nano_cell* c) { return {c->out.data(), c->out.size()}; }

nano_bytes nano_error(nano_cell* c) {
  return {reinterpret_cast<const uint8_t*>(c->error.data()), c->error.size()};
}

nano_stats nano_measure(nano_cell* c) {
  Enter in(c);
  HeapStatistics h;
  c->heap_taken.store(0);
  c->iso->GetHeapStatistics(&h);
  return {h.used_heap_size(), h.total_heap_size(), h.heap_size_limit(), h.external_memory(), c->allocator.Held(),
          h.malloced_memory()};
}

void nano_collect(nano_cell* c) {
  Enter in(c);
  c->iso->LowMemoryNotification();
  std::vector<uint8_t>().swap(c->out);
}

void nano_trim(void) { malloc_trim(0); }

void nano_dispose(nano_cell* c) {
  {
    Enter in(c);
    c->iso->CancelTerminateExecution();
    c->context.Reset();
    c->dispatch.Reset();
    c->rejection.Reset();
    c->module.Reset();
    c->loading.Reset();
  }
  platform::NotifyIsolateShutdown(host, c->iso);
  c->iso->Dispose();
  delete c;
}
}
