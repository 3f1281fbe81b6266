// What the prelude calls of the bridge: post, and what must answer at once.
#include "cell.h"

#include <cstdlib>
#include <cstring>
#include <tuple>

using namespace v8;

namespace {

// Of op.go.
constexpr uint32_t kOpRespond = 1, kOpEnd = 3, kOpFail = 4, kOpDone = 7;

// post(op, id, ...args): appends one message to the outgoing batch.
void Post(const FunctionCallbackInfo<Value>& info) {
  Isolate* iso = info.GetIsolate();
  nano_cell* c = Cell(iso);
  uint32_t op = 0, id = 0;
  Local<Context> ctx = iso->GetCurrentContext();
  if (info.Length() < 2 || !info[0]->Uint32Value(ctx).To(&op) || !info[1]->Uint32Value(ctx).To(&id)) {
    return;
  }
  // What ends a request has room left: there is one of each for a request.
  bool ends = op == kOpRespond || op == kOpEnd || op == kOpFail || op == kOpDone;
  if (c->out.size() > (ends ? 2 * c->limit : c->limit)) {
    iso->ThrowException(Exception::RangeError(Text(iso, "too much output at once")));
    return;
  }
  Writer w(c->out);
  int argc = info.Length() - 2 < kMaxArgs ? info.Length() - 2 : kMaxArgs;
  w.Begin(uint8_t(op), uint8_t(argc), id);
  for (int i = 0; i < argc; i++) w.Append(iso, info[i + 2]);
  w.End();
}

void Utf8Encode(const FunctionCallbackInfo<Value>& info) {
  Isolate* iso = info.GetIsolate();
  Local<String> s;
  if (!info[0]->ToString(iso->GetCurrentContext()).ToLocal(&s)) return;
  size_t n = s->Utf8LengthV2(iso);
  auto store = NewStore(iso, n);
  if (!store) return;
  if (n) s->WriteUtf8V2(iso, static_cast<char*>(store->Data()), n, String::WriteFlags::kReplaceInvalidUtf8);
  info.GetReturnValue().Set(Uint8Array::New(ArrayBuffer::New(iso, std::move(store)), 0, n));
}

// A view's or a buffer's memory, as long as nothing else runs. False for other values.
bool Contents(Local<Value> v, uint8_t** data, size_t* size) {
  if (v->IsArrayBufferView()) {
    auto view = v.As<ArrayBufferView>();
    *size = view->ByteLength();
    *data = static_cast<uint8_t*>(view->Buffer()->Data()) + view->ByteOffset();
    return true;
  }
  if (v->IsArrayBuffer()) {
    *size = v.As<ArrayBuffer>()->ByteLength();
    *data = static_cast<uint8_t*>(v.As<ArrayBuffer>()->Data());
    return true;
  }
  if (v->IsSharedArrayBuffer()) {
    *size = v.As<SharedArrayBuffer>()->ByteLength();
    *data = static_cast<uint8_t*>(v.As<SharedArrayBuffer>()->Data());
    return true;
  }
  return false;
}

void SetString(const FunctionCallbackInfo<Value>& info, MaybeLocal<String> s) {
  Local<String> r;
  if (s.ToLocal(&r)) {
    info.GetReturnValue().Set(r);
    return;
  }
  // Longer than V8's strings can be; it may not have thrown.
  Isolate* iso = info.GetIsolate();
  iso->ThrowException(Exception::RangeError(Text(iso, "Invalid string length")));
}

bool ValidUtf8(const uint8_t* p, size_t n) {
  const uint8_t* end = p + n;
  while (p < end) {
    if (end - p >= 8) {
      uint64_t w;
      memcpy(&w, p, 8);
      if (!(w & 0x8080808080808080ull)) {
        p += 8;
        continue;
      }
    }
    uint8_t b = *p;
    if (b < 0x80) {
      p++;
      continue;
    }
    int more;
    uint8_t lo = 0x80, hi = 0xBF;  // of the second byte; The Unicode Standard, table 3-7
    if (b >= 0xC2 && b <= 0xDF) {
      more = 1;
    } else if (b >= 0xE0 && b <= 0xEF) {
      more = 2;
      if (b == 0xE0) lo = 0xA0;
      if (b == 0xED) hi = 0x9F;
    } else if (b >= 0xF0 && b <= 0xF4) {
      more = 3;
      if (b == 0xF0) lo = 0x90;
      if (b == 0xF4) hi = 0x8F;
    } else {
      return false;
    }
    if (end - p <= more || p[1] < lo || p[1] > hi) return false;
    for (int i = 2; i <= more; i++)
      if ((p[i] & 0xC0) != 0x80) return false;
    p += more + 1;
  }
  return true;
}

void Utf8Decode(const FunctionCallbackInfo<Value>& info) {
  Isolate* iso = info.GetIsolate();
  uint8_t* p;
  size_t n;
  if (!Contents(info[0], &p, &n)) return;
  if (info[1]->IsTrue() && !ValidUtf8(p, n)) {
    iso->ThrowException(Exception::TypeError(Text(iso, "The encoded data was not valid for encoding utf-8")));
    return;
  }
  if (n > String::kMaxLength) return SetString(info, MaybeLocal<String>());
  SetString(info, String::NewFromUtf8(iso, reinterpret_cast<char*>(p), NewStringType::kNormal, int(n)));
}

void Utf8Length(const FunctionCallbackInfo<Value>& info) {
  if (info[0]->IsString())
    info.GetReturnValue().Set(double(info[0].As<String>()->Utf8LengthV2(info.GetIsolate())));
}

// encodeInto(string, view): what was read · 2³² + what was written.
void EncodeInto(const FunctionCallbackInfo<Value>& info) {
  Isolate* iso = info.GetIsolate();
  uint8_t* p;
  size_t n, read = 0;
  if (!info[0]->IsString() || !Contents(info[1], &p, &n)) return;
  size_t written = n == 0 ? 0 : info[0].As<String>()->WriteUtf8V2(iso, reinterpret_cast<char*>(p), n,
                                                     String::WriteFlags::kReplaceInvalidUtf8, &read);
  info.GetReturnValue().Set(double(read) * 4294967296.0 + double(written));
}

void Latin1Decode(const FunctionCallbackInfo<Value>& info) {
  uint8_t* p;
  size_t n;
  if (!Contents(info[0], &p, &n)) return;
  if (n > String::kMaxLength) return SetString(info, MaybeLocal<String>());
  SetString(info, String::NewFromOneByte(info.GetIsolate(), p, NewStringType::kNormal, int(n)));
}

void Random(const FunctionCallbackInfo<Value>& info) {
  uint8_t* p;
  size_t n;
  if (Contents(info[0], &p, &n)) FillRandom(p, n);
}

void Now(const FunctionCallbackInfo<Value>& info) {
  // Whole microseconds: finer clocks are what timing attacks want.
  info.GetReturnValue().Set(double((Monotonic() - kStarted) / 1000) / 1000);
}

void SetContext(const FunctionCallbackInfo<Value>& info) {
  info.GetIsolate()->SetContinuationPreservedEmbedderData(info[0]);
}

void GetContext(const FunctionCallbackInfo<Value>& info) {
  info.GetReturnValue().Set(info.GetIsolate()->GetContinuationPreservedEmbedderData());
}

void Blame(const FunctionCallbackInfo<Value>& info) {
  if (info[0]->IsUint32()) Cell(info.GetIsolate())->blame.store(info[0].As<Uint32>()->Value());
}

void PromiseState(const FunctionCallbackInfo<Value>& info) {
  if (!info[0]->IsPromise()) return;
  Isolate* iso = info.GetIsolate();
  auto p = info[0].As<Promise>();
  Local<Value> pair[] = {Integer::New(iso, int(p->State())), Undefined(iso)};
  if (p->State() != Promise::kPending) pair[1] = p->Result();
  info.GetReturnValue().Set(Array::New(iso, pair, 2));
}

void ProxyTarget(const FunctionCallbackInfo<Value>& info) {
  if (info[0]->IsProxy()) info.GetReturnValue().Set(info[0].As<Proxy>()->GetTarget());
}

// Cloner says no to what has no plain form, in the words of the HTML standard.
class Cloner : public ValueSerializer::Delegate {
 public:
  explicit Cloner(Isolate* iso) : iso_(iso) {}
  void ThrowDataCloneError(Local<String> message) override {
    Local<Value> e = Exception::Error(message);
    Local<Context> ctx = iso_->GetCurrentContext();
    e.As<Object>()->Set(ctx, Text(iso_, "name"), Text(iso_, "DataCloneError")).FromMaybe(false);
    iso_->ThrowException(e);
  }
  // The guard doesn't see this memory, and can't end what fills it.
  void* ReallocateBufferMemory(void* old, size_t size, size_t* actual) override {
    if (size > Cell(iso_)->limit) return nullptr;
    *actual = size;
    return realloc(old, size);
  }
  void FreeBufferMemory(void* p) override { free(p); }

 private:
  Isolate* iso_;
};

// structuredClone(value, buffers): the buffers are transferred: detached here.
void StructuredClone(const FunctionCallbackInfo<Value>& info) {
  Isolate* iso = info.GetIsolate();
  Local<Context> ctx = iso->GetCurrentContext();
  Cloner cloner(iso);
  ValueSerializer ser(iso, &cloner);
  std::vector<std::shared_ptr<BackingStore>> moved;
  std::vector<Local<ArrayBuffer>> buffers;
  if (info[1]->IsArray()) {
    auto list = info[1].As<Array>();
    for (uint32_t i = 0; i < list->Length(); i++) {
      Local<Value> v;
      if (!list->Get(ctx, i).ToLocal(&v)) return;
      if (!v->IsArrayBuffer()) continue;
      auto b = v.As<ArrayBuffer>();
      if (!b->IsDetachable() || b->WasDetached()) {
        cloner.ThrowDataCloneError(Text(iso, "An ArrayBuffer is detached and could not be cloned."));
        return;
      }
      ser.TransferArrayBuffer(uint32_t(buffers.size()), b);
      buffers.push_back(b);
    }
  }
  ser.WriteHeader();
  if (!ser.WriteValue(ctx, info[0]).FromMaybe(false)) return;
  for (auto& b : buffers) {
    moved.push_back(b->GetBackingStore());
    if (b->Detach(Local<Value>()).IsNothing()) return;
  }
  auto bytes = ser.Release();
  ValueDeserializer de(iso, bytes.first, bytes.second);
  for (uint32_t i = 0; i < moved.size(); i++) de.TransferArrayBuffer(i, ArrayBuffer::New(iso, moved[i]));
  Local<Value> out;
  if (de.ReadHeader(ctx).FromMaybe(false) && de.ReadValue(ctx).ToLocal(&out)) info.GetReturnValue().Set(out);
  free(bytes.first);
}

}  // namespace

const std::vector<Native> kNatives = {
    {"post", Post},
    {"utf8Encode", Utf8Encode},
    {"utf8Decode", Utf8Decode},
    {"utf8Length", Utf8Length},
    {"encodeInto", EncodeInto},
    {"latin1Decode", Latin1Decode},
    {"random", Random},
    {"now", Now},
    {"setContext", SetContext},
    {"getContext", GetContext},
    {"blame", Blame},
    {"promiseState", PromiseState},
    {"proxyTarget", ProxyTarget},
    {"structuredClone", StructuredClone},
};
