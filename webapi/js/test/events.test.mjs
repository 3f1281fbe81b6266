import assert from "node:assert/strict";
import { test } from "node:test";
import { newContext } from "./harness.mjs";

const { global, posted, run, dispatch } = await newContext();
const fire = (timer) => dispatch(5, timer);
const { AbortController, AbortSignal, CustomEvent, DOMException, ErrorEvent, Event, EventTarget, MessageEvent } = global;

test("Event", async (t) => {
  await t.test("attributes", () => {
    const event = new Event("x", { bubbles: 1, cancelable: true });
    assert.equal(event.type, "x");
    assert.equal(event.bubbles, true);
    assert.equal(event.cancelable, true);
    assert.equal(event.composed, false);
    assert.equal(event.target, null);
    assert.equal(event.eventPhase, 0);
    assert.equal(event.isTrusted, false);
    assert.equal(event.AT_TARGET, 2);
    assert.ok(event.timeStamp >= 0);
    assert.equal(Object.prototype.toString.call(event), "[object Event]");
    const { get, configurable } = Object.getOwnPropertyDescriptor(event, "isTrusted");
    assert.equal(get, Object.getOwnPropertyDescriptor(new Event("y"), "isTrusted").get);
    assert.equal(configurable, false);
  });
  await t.test("refuses", () => {
    assert.throws(() => new Event(), { name: "TypeError" });
    assert.throws(() => new Event("x", 1), { name: "TypeError" });
    assert.throws(() => Event("x"), { name: "TypeError" });
    assert.throws(() => Object.getOwnPropertyDescriptor(Event.prototype, "type").get.call({}), { name: "TypeError" });
    assert.doesNotThrow(() => new Event("x", null));
  });
  await t.test("preventDefault only where it may", () => {
    const event = new Event("x");
    event.preventDefault();
    assert.equal(event.defaultPrevented, false);
    const other = new Event("x", { cancelable: true });
    other.returnValue = false;
    assert.equal(other.defaultPrevented, true);
    assert.equal(other.returnValue, false);
  });
  await t.test("kinds", () => {
    assert.equal(new CustomEvent("x", { detail: 5 }).detail, 5);
    assert.equal(new CustomEvent("x").detail, null);
    const error = new ErrorEvent("error", { message: "m", filename: "f", lineno: 1, colno: 2, error: "e" });
    assert.deepEqual([error.message, error.filename, error.lineno, error.colno, error.error], ["m", "f", 1, 2, "e"]);
    const message = new MessageEvent("message", { data: 1, origin: "o", lastEventId: "l" });
    assert.deepEqual([message.data, message.origin, message.lastEventId, message.source], [1, "o", "l", null]);
    assert.equal(message.ports.length, 0);
    assert.throws(() => new global.PromiseRejectionEvent("x", {}), { name: "TypeError" });
    assert.equal(Object.getPrototypeOf(ErrorEvent), Event);
  });
});

test("EventTarget", async (t) => {
  const record = (setUp) => {
    const target = new EventTarget();
    const calls = [];
    setUp(target, calls);
    return calls;
  };
  await t.test("listeners are called in order, each once", () => {
    const calls = record((target, calls) => {
      const first = () => calls.push("first");
      target.addEventListener("x", first);
      target.addEventListener("x", first);
      target.addEventListener("x", { handleEvent: () => calls.push("second") });
      target.addEventListener("x", () => calls.push("once"), { once: true });
      target.addEventListener("x", first, true);
      target.dispatchEvent(new Event("x"));
      target.dispatchEvent(new Event("x"));
    });
    assert.deepEqual(calls, ["first", "second", "once", "first", "first", "second", "first"]);
  });
  await t.test("changes while dispatching", () => {
    const calls = record((target, calls) => {
      const gone = () => calls.push("gone");
      target.addEventListener("x", () => {
        target.removeEventListener("x", gone);
        target.addEventListener("x", () => calls.push("late"));
      }, { once: true });
      target.addEventListener("x", gone);
      target.dispatchEvent(new Event("x"));
      calls.push("|");
      target.dispatchEvent(new Event("x"));
    });
    assert.deepEqual(calls, ["|", "late"]);
  });
  await t.test("this, target and phase", () => {
    const target = new EventTarget();
    let seen;
    target.addEventListener("x", function (event) {
      seen = [this === target, event.target === target, event.currentTarget === target, event.eventPhase, event.composedPath()[0] === target];
    });
    const event = new Event("x");
    target.dispatchEvent(event);
    assert.deepEqual(seen, [true, true, true, 2, true]);
    assert.deepEqual([event.target === target, event.currentTarget, event.eventPhase], [true, null, 0]);
  });
  await t.test("stopImmediatePropagation and passive", () => {
    const calls = record((target, calls) => {
      target.addEventListener("x", (event) => event.preventDefault(), { passive: true });
      target.addEventListener("x", (event) => {
        calls.push(event.defaultPrevented);
        event.preventDefault();
        event.stopImmediatePropagation();
      });
      target.addEventListener("x", () => calls.push("never"));
      calls.push(target.dispatchEvent(new Event("x", { cancelable: true })));
    });
    assert.deepEqual(calls, [false, false]);
  });
  await t.test("a signal removes", () => {
    const calls = record((target, calls) => {
      const controller = new AbortController();
      target.addEventListener("x", () => calls.push(1), { signal: controller.signal });
      target.addEventListener("x", () => calls.push(2), { signal: AbortSignal.abort() });
      target.dispatchEvent(new Event("x"));
      controller.abort();
      target.dispatchEvent(new Event("x"));
    });
    assert.deepEqual(calls, [1]);
    const stopping = new AbortController();
    const stopped = new EventTarget();
    let late = 0;
    stopping.signal.addEventListener("abort", (event) => event.stopImmediatePropagation());
    stopped.addEventListener("x", () => late++, { signal: stopping.signal });
    stopping.abort();
    stopped.dispatchEvent(new Event("x"));
    assert.equal(late, 0);
    assert.throws(() => new EventTarget().addEventListener("x", () => {}, { signal: null }), { name: "TypeError" });
  });
  await t.test("an event can't be dispatched while it is", () => {
    const target = new EventTarget();
    let error;
    target.addEventListener("x", (event) => {
      try {
        target.dispatchEvent(event);
      } catch (caught) {
        error = caught;
      }
    });
    target.dispatchEvent(new Event("x"));
    assert.equal(error.name, "InvalidStateError");
  });
  await t.test("exceptions go to the global's error event", () => {
    const seen = run(`
      {
      const seen = [];
      const listener = (event) => { seen.push(event.message, event.error.message, event.isTrusted, event.lineno > 0); event.preventDefault(); };
      addEventListener("error", listener);
      onerror = (message, file, line, column, error) => { seen.push(message, error.message); };
      const target = new EventTarget();
      target.addEventListener("x", () => { throw new Error("boom"); });
      target.addEventListener("x", () => seen.push("next"));
      target.dispatchEvent(new Event("x"));
      removeEventListener("error", listener);
      onerror = null;
      seen;
      }`);
    assert.deepEqual([...seen], ["Uncaught Error: boom", "boom", true, true, "Uncaught Error: boom", "boom", "next"]);
    assert.deepEqual(posted, []);
    run(`reportError(new TypeError("nobody"))`);
    assert.match(posted.pop().join(" "), /TypeError: nobody/);
  });
  await t.test("subclasses", () => {
    const Sub = run(`(class Sub extends EventTarget { constructor() { super(); this.own = 1; } })`);
    const sub = new Sub();
    let called = false;
    sub.addEventListener("x", () => { called = true; });
    sub.dispatchEvent(new Event("x"));
    assert.ok(called && sub.own === 1);
  });
  await t.test("the global", () => {
    assert.deepEqual([...run(`
      {
      let seen;
      addEventListener("y", function (event) { seen = [this === globalThis, event.target === globalThis]; });
      dispatchEvent(new Event("y"));
      [...seen, globalThis instanceof EventTarget];
      }`)], [true, true, true]);
    assert.throws(() => EventTarget.prototype.addEventListener.call({}, "x", () => {}), { name: "TypeError" });
  });
});

test("AbortSignal", async (t) => {
  await t.test("abort", () => {
    const controller = new AbortController();
    const { signal } = controller;
    const calls = [];
    signal.addEventListener("abort", (event) => calls.push(event.type, event.isTrusted, signal.aborted));
    signal.onabort = () => calls.push("handler");
    assert.equal(signal.aborted, false);
    assert.equal(signal.reason, undefined);
    controller.abort();
    controller.abort("again");
    assert.deepEqual(calls, ["abort", true, true, "handler"]);
    assert.equal(signal.reason.name, "AbortError");
    assert.equal(signal.reason.code, 20);
    assert.throws(() => signal.throwIfAborted(), (error) => error === signal.reason);
    assert.throws(() => new AbortSignal(), { name: "TypeError" });
    assert.equal(AbortSignal.abort("why").reason, "why");
  });
  await t.test("any", () => {
    const [a, b] = [new AbortController(), new AbortController()];
    const any = AbortSignal.any([a.signal, b.signal]);
    const chained = AbortSignal.any([any]);
    const order = [];
    b.signal.addEventListener("abort", () => order.push("b", any.aborted, chained.aborted));
    any.addEventListener("abort", () => order.push("any"));
    chained.addEventListener("abort", () => order.push("chained"));
    b.abort("reason");
    a.abort("other");
    assert.deepEqual(order, ["b", true, true, "any", "chained"]);
    assert.equal(chained.reason, "reason");
    assert.equal(AbortSignal.any([AbortSignal.abort(1), AbortSignal.abort(2)]).reason, 1);
    assert.equal(AbortSignal.any([]).aborted, false);
    assert.throws(() => AbortSignal.any([{}]), { name: "TypeError" });
  });
  await t.test("timeout", () => {
    const before = posted.length;
    const signal = AbortSignal.timeout(5);
    const [op, id, delay] = posted[before];
    assert.deepEqual([op, delay], [8, 5]);
    assert.equal(signal.aborted, false);
    posted.length = 0;
    fire(id);
    assert.equal(signal.reason.name, "TimeoutError");
    assert.throws(() => AbortSignal.timeout(-1), { name: "TypeError" });
  });
});

test("DOMException", () => {
  const error = new DOMException("m", "NotFoundError");
  assert.deepEqual([error.name, error.message, error.code, `${error}`], ["NotFoundError", "m", 8, "NotFoundError: m"]);
  assert.match(error.stack, /^NotFoundError: m\n {4}at /);
  assert.ok(error instanceof run("Error"));
  assert.deepEqual(Object.keys(error), []);
  assert.equal(DOMException.ABORT_ERR, 20);
  assert.equal(new DOMException("m", "constructor").code, 0);
  assert.deepEqual([new DOMException().name, new DOMException().message], ["Error", ""]);
  assert.equal(Object.prototype.toString.call(error), "[object DOMException]");
  assert.equal(new DOMException("", "Mine").code, 0);
});
