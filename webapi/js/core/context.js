// Which request the running code belongs to. V8 carries one value, the frame, through promises and async functions:
// { record, stores }, where record is the request's, or undefined, and stores are those of AsyncLocalStorage.
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
  return native.getContext()?.record?.id ?? 0;
}

// enter makes frame the running code's, and tells the guard whom to blame for what follows.
export function enter(frame) {
  native.setContext(frame);
  native.blame(frame?.record?.id ?? 0);
}
