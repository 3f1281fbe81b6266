// The life of a request's record: open, finished once nobody waits for its response any more, and gone once the
// promises that it was told to wait for have settled too.
import { native } from "../native.js";
import { Record } from "./context.js";
import { postUnhandled } from "./failure.js";
import { DONE } from "./ops.js";

const open = new Map(); // id → Record

export function openRecord(id) {
  const record = new Record(id);
  open.set(id, record);
  return record;
}

export function findRecord(id) {
  return open.get(id);
}

// finish is called when the response is out or given up.
export function finish(record) {
  if (record.finished) return;
  record.finished = true;
  record.pump = undefined;
  if (record.pending === 0) close(record);
}

// close ends the record whatever it still waits for.
export function close(record) {
  if (record.closed) return;
  record.finished = true;
  record.closed = true;
  open.delete(record.id);
  if (record.fetches !== undefined) {
    for (const body of record.fetches) {
      if (body.untouched) body.fail(new TypeError("fetch: the body was not read before its request was done"));
    }
  }
  native.post(DONE, record.id);
}

// hold keeps the record open until promise settles.
export function hold(record, promise) {
  record.pending++;
  const release = () => {
    if (--record.pending === 0 && record.finished) close(record);
  };
  Promise.resolve(promise).then(release, (error) => {
    postUnhandled(record.id, error);
    release();
  });
}
