// The wire format of op.go, on V8's side.
#include "cell.h"

using namespace v8;

namespace {
enum : uint8_t { kUndefined, kNull, kFalse, kTrue, kNumber, kLatin1, kUTF8, kBytes };
}

int Reader::Next(Isolate* iso, Local<Value>* argv, int room, uint32_t* id, bool* whole) {
  uint32_t size = Get<uint32_t>();
  const uint8_t* next = p_ + size;
  uint8_t op = Get<uint8_t>(), argc = Get<uint8_t>();
  Get<uint16_t>();
  *id = Get<uint32_t>();
  argv[0] = Integer::New(iso, op);
  argv[1] = Integer::NewFromUnsigned(iso, *id);
  int n = 2;
  *whole = true;
  for (int i = 0; i < argc && n < room; i++)
    if (!Arg(iso).ToLocal(&argv[n++])) {
      *whole = false;
      break;
    }
  p_ = next;
  return n;
}

MaybeLocal<Value> Reader::Arg(Isolate* iso) {
  switch (Get<uint8_t>()) {
    case kNull:
      return Local<Value>(Null(iso));
    case kFalse:
      return Local<Value>(False(iso));
    case kTrue:
      return Local<Value>(True(iso));
    case kNumber:
      return Local<Value>(Number::New(iso, Get<double>()));
    case kLatin1: {
      uint32_t n = Get<uint32_t>();
      const uint8_t* s = p_;
      p_ += n;
      Local<String> v;
      if (n > String::kMaxLength || !String::NewFromOneByte(iso, s, NewStringType::kNormal, int(n)).ToLocal(&v))
        return MaybeLocal<Value>();
      return Local<Value>(v);
    }
    case kUTF8: {
      uint32_t n = Get<uint32_t>();
      const char* s = reinterpret_cast<const char*>(p_);
      p_ += n;
      Local<String> v;
      if (n > String::kMaxLength || !String::NewFromUtf8(iso, s, NewStringType::kNormal, int(n)).ToLocal(&v))
        return MaybeLocal<Value>();
      return Local<Value>(v);
    }
    case kBytes: {
      uint32_t n = Get<uint32_t>();
      auto store = NewStore(iso, n);
      if (!store) return MaybeLocal<Value>();
      if (n) memcpy(store->Data(), p_, n);
      p_ += n;
      return Local<Value>(Uint8Array::New(ArrayBuffer::New(iso, std::move(store)), 0, n));
    }
    default:
      return Local<Value>(Undefined(iso));
  }
}

void Writer::Begin(uint8_t op, uint8_t argc, uint32_t id) {
  start_ = out_.size();
  Put<uint32_t>(0);
  Put<uint8_t>(op);
  Put<uint8_t>(argc);
  Put<uint16_t>(0);
  Put<uint32_t>(id);
}

void Writer::End() {
  uint32_t n = uint32_t(out_.size() - start_ - 4);
  memcpy(out_.data() + start_, &n, sizeof n);
}

void Writer::Append(Isolate* iso, Local<Value> v) {
  if (v->IsString()) {
    Local<String> s = v.As<String>();
    uint32_t n = uint32_t(s->Length());
    if (s->IsOneByte()) {
      Put<uint8_t>(kLatin1);
      Put<uint32_t>(n);
      if (n) s->WriteOneByteV2(iso, 0, n, Room(n));
    } else {
      uint32_t bytes = uint32_t(s->Utf8LengthV2(iso));
      Put<uint8_t>(kUTF8);
      Put<uint32_t>(bytes);
      s->WriteUtf8V2(iso, reinterpret_cast<char*>(Room(bytes)), bytes, String::WriteFlags::kReplaceInvalidUtf8);
    }
  } else if (v->IsNumber()) {
    Put<uint8_t>(kNumber);
    Put<double>(v.As<Number>()->Value());
  } else if (v->IsArrayBufferView()) {
    auto view = v.As<ArrayBufferView>();
    uint32_t n = uint32_t(view->ByteLength());
    Put<uint8_t>(kBytes);
    Put<uint32_t>(n);
    if (n) view->CopyContents(Room(n), n);
  } else if (v->IsArrayBuffer()) {
    auto b = v.As<ArrayBuffer>();
    uint32_t n = uint32_t(b->ByteLength());
    Put<uint8_t>(kBytes);
    Put<uint32_t>(n);
    if (n) memcpy(Room(n), b->Data(), n);
  } else if (v->IsTrue()) {
    Put<uint8_t>(kTrue);
  } else if (v->IsFalse()) {
    Put<uint8_t>(kFalse);
  } else if (v->IsNull()) {
    Put<uint8_t>(kNull);
  } else {
    Put<uint8_t>(kUndefined);
  }
}

// Unhandled writes op 11 for what even the prelude did not catch.
void Writer::Unhandled(uint32_t id, const std::string& text) {
  Begin(11, 2, id);
  for (int i = 0; i < 2; i++) {
    Put<uint8_t>(kUTF8);
    Put<uint32_t>(uint32_t(text.size()));
    memcpy(Room(text.size()), text.data(), text.size());
  }
  End();
}
