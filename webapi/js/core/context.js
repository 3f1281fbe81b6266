// Which request the running code belongs to. V8 carries one value, the frame, through promises and async functions:
// { record, stores }, where record is the request's and stores are those of AsyncLocalStorage.
import { native } from "../native.js";

// Record is one request as JavaScript knows it. It is its own frame, so that a request that uses no
// AsyncLocalStorage makes no other.
export class Record {
  constructor(id) {
    this.id = id;
    this.record = this;
    this.stores = undefined;
    this.pending = 0; // promises given to waitUntil that haven't settled
    this.finished = false; // the response is out, or nobody waits for it any more
    this.closed = false; // done: Go has been told so
    this.aborted = undefined; // why, once the client has gone
    this.signal = undefined; // request.signal, once somebody has asked for it
    this.pump = undefined; // of a response that is being streamed
    this.fetches = undefined; // fetches whose response bodies may still hold a connection
  }
}

export function currentFrame() {
  return native.getContext();
}

export function currentRecord() {
  return native.getContext()?.record;
}

// currentId is 0 where no request is running: while the app is loaded, say.
export function currentId() {
  return native.getContext()?.record.id ?? 0;
}

// enter makes frame the running code's, and tells the guard whom to blame for what follows.
export function enter(frame) {
  native.setContext(frame);
  native.blame(frame === undefined ? 0 : frame.record.id);
}

// runIn calls fn in frame and comes back.
function runIn(frame, fn, self, args) {
  const before = native.getContext();
  native.setContext(frame);
  try {
    return Reflect.apply(fn, self, args);
  } finally {
    native.setContext(before);
  }
}

// outside is the record of code that runs for no request but wants a store.
const outside = new Record(0);

function frameWith(storage, store) {
  const frame = native.getContext();
  const stores = new Map(frame?.stores);
  stores.set(storage, store);
  return { record: frame?.record ?? outside, stores };
}

function snapshot() {
  const frame = native.getContext();
  return (fn, ...args) => runIn(frame, fn, undefined, args);
}

// AsyncLocalStorage is node:async_hooks' class of that name.
export class AsyncLocalStorage {
  static bind(fn) {
    return snapshot().bind(undefined, fn);
  }

  static snapshot() {
    return snapshot();
  }

  run(store, fn, ...args) {
    return runIn(frameWith(this, store), fn, undefined, args);
  }

  exit(fn, ...args) {
    return this.run(undefined, fn, ...args);
  }

  getStore() {
    return native.getContext()?.stores?.get(this);
  }

  enterWith(store) {
    native.setContext(frameWith(this, store));
  }

  disable() {
    this.enterWith(undefined);
  }
}
