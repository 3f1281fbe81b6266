import { DOMException } from "./domexception.js";
import { Event, trust } from "./event.js";
import { EventTarget, dispatch, followSignals, getHandler, setHandler, watch } from "./eventtarget.js";
import { enforceRange, eventHandler, needArguments, shape } from "./idl.js";

// What the platform does with signals.
export let createSignal; // () → a signal
export let abortSignal; // (signal, reason): reason undefined is an AbortError
export let onAbort; // (signal, algorithm): runs algorithm(reason) once, before the listeners
export let offAbort; // (signal, algorithm)
export let dependentSignal; // ([signal]) → one that aborts when the first of them does

const secret = Symbol("AbortSignal");

export class AbortSignal extends EventTarget {
  #aborted = false;
  #reason;
  #algorithms; // Set
  #sources; // the signals that a dependent one follows
  #dependents; // Dependents
  #listeners = 0;

  constructor(key) {
    if (key !== secret) throw new TypeError("Illegal constructor");
    super();
  }

  get aborted() { return this.#aborted; }
  get reason() { return this.#reason; }

  throwIfAborted() {
    if (this.#aborted) throw this.#reason;
  }

  static abort(reason = undefined) {
    const signal = new AbortSignal(secret);
    signal.#aborted = true;
    signal.#reason = reason === undefined ? abortError() : reason;
    return signal;
  }

  static timeout(milliseconds) {
    needArguments(arguments, 1, "AbortSignal", "timeout");
    const delay = enforceRange(milliseconds, Number.MAX_SAFE_INTEGER, "AbortSignal.timeout: the time");
    const signal = new AbortSignal(secret);
    setTimeout(() => signal.#abort(new DOMException("the operation timed out", "TimeoutError")), delay);
    return signal;
  }

  static any(signals) {
    needArguments(arguments, 1, "AbortSignal", "any");
    const list = [...signals];
    for (const signal of list) {
      if (typeof signal !== "object" || signal === null || !(#aborted in signal)) {
        throw new TypeError("AbortSignal.any: not an AbortSignal");
      }
    }
    return dependentSignal(list);
  }

  #abort(reason) {
    if (this.#aborted) return;
    const dependents = this.#settle(reason === undefined ? abortError() : reason);
    this.#run();
    for (const dependent of dependents) dependent.#run();
  }

  // settle marks the signal and all that follow it; none of their algorithms has run yet.
  #settle(reason) {
    this.#aborted = true;
    this.#reason = reason;
    const settled = [];
    for (const dependent of this.#dependents?.all() ?? []) {
      if (!dependent.#aborted) {
        dependent.#aborted = true;
        dependent.#reason = reason;
        settled.push(dependent);
      }
    }
    return settled;
  }

  #run() {
    const algorithms = this.#algorithms;
    this.#algorithms = undefined;
    if (algorithms !== undefined) for (const algorithm of algorithms) algorithm(this.#reason);
    dispatch(this, trust(new Event("abort")));
    this.#sources = undefined;
    this.#dependents = undefined;
  }

  // follow makes this a dependent signal. One that somebody waits for is held by its sources, the others may be
  // collected.
  #follow(sources) {
    this.#sources = sources;
    for (const source of sources) (source.#dependents ??= new Dependents()).add(this);
    watch(this, (type, count) => {
      if (type !== "abort") return;
      this.#listeners = count;
      this.#hold();
    });
  }

  #hold() {
    if (this.#sources === undefined) return;
    const held = this.#listeners > 0 || (this.#algorithms?.size ?? 0) > 0;
    for (const source of this.#sources) source.#dependents?.hold(this, held);
  }

  static {
    createSignal = () => new AbortSignal(secret);
    abortSignal = (signal, reason) => signal.#abort(reason);
    onAbort = (signal, algorithm) => {
      if (signal.#aborted) return;
      (signal.#algorithms ??= new Set()).add(algorithm);
      signal.#hold();
    };
    followSignals(onAbort);
    offAbort = (signal, algorithm) => {
      if (signal.#algorithms?.delete(algorithm)) signal.#hold();
    };
    dependentSignal = (signals) => {
      const signal = new AbortSignal(secret);
      for (const source of signals) {
        if (source.#aborted) {
          signal.#aborted = true;
          signal.#reason = source.#reason;
          return signal;
        }
      }
      const sources = new Set();
      for (const source of signals) {
        // What follows others stands for them, so that chains don't grow.
        if (source.#sources === undefined) sources.add(source);
        else for (const original of source.#sources) sources.add(original);
      }
      signal.#follow(sources);
      return signal;
    };
  }
}

// Dependents are the signals that follow one, in the order in which they came.
class Dependents {
  #references = [];
  #held = new Set();
  #prune = 16;

  add(signal) {
    if (this.#references.length >= this.#prune) {
      this.#references = this.#references.filter((reference) => reference.deref() !== undefined);
      this.#prune = Math.max(16, 2 * this.#references.length);
    }
    this.#references.push(new WeakRef(signal));
  }

  hold(signal, held) {
    if (held) this.#held.add(signal);
    else this.#held.delete(signal);
  }

  all() {
    return this.#references.map((reference) => reference.deref()).filter((signal) => signal !== undefined);
  }
}

export class AbortController {
  #signal = new AbortSignal(secret);

  get signal() { return this.#signal; }
  abort(reason = undefined) { abortSignal(this.#signal, reason); }
}

function abortError() {
  return new DOMException("the operation was aborted", "AbortError");
}

shape(AbortSignal);
eventHandler(AbortSignal.prototype, "abort", { get: getHandler, set: setHandler });
shape(AbortController);
