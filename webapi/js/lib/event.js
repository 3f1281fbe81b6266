import { native } from "../native.js";
import { constants, dictionary, needArguments, shape } from "./idl.js";

// What only the platform may do with an event.
export let fire; // (event, target, listeners, call): runs the listeners; false when the default was prevented
export let isDispatching;
export let trust; // marks an event as the platform's own

let isTrusted;

const NONE = 0;
const AT_TARGET = 2;

// Flags of an event.
const BUBBLES = 1;
const CANCELABLE = 2;
const COMPOSED = 4;
const CANCELED = 8;
const STOP = 16;
const STOP_NOW = 32;
const PASSIVE = 64;
const DISPATCHING = 128;
const TRUSTED = 256;

export class Event {
  #type;
  #target = null;
  #current = null;
  #phase = NONE;
  #flags;
  #time;

  constructor(type, init = undefined) {
    needArguments(arguments, 1, "Event", "constructor");
    this.#type = `${type}`;
    this.#time = native.now();
    Object.defineProperty(this, "isTrusted", isTrusted);
    if (init === undefined) {
      this.#flags = 0;
      return;
    }
    init = dictionary(init, "Event");
    this.#flags = (init.bubbles ? BUBBLES : 0) | (init.cancelable ? CANCELABLE : 0) | (init.composed ? COMPOSED : 0);
  }

  get type() { return this.#type; }
  get target() { return this.#target; }
  get srcElement() { return this.#target; }
  get currentTarget() { return this.#current; }
  get eventPhase() { return this.#phase; }
  get bubbles() { return (this.#flags & BUBBLES) !== 0; }
  get cancelable() { return (this.#flags & CANCELABLE) !== 0; }
  get composed() { return (this.#flags & COMPOSED) !== 0; }
  get defaultPrevented() { return (this.#flags & CANCELED) !== 0; }
  get timeStamp() { return this.#time; }

  get returnValue() { return (this.#flags & CANCELED) === 0; }
  set returnValue(value) {
    if (!value) this.#cancel();
  }

  get cancelBubble() { return (this.#flags & STOP) !== 0; }
  set cancelBubble(value) {
    if (value) this.#flags |= STOP;
  }

  composedPath() { return this.#current === null ? [] : [this.#current]; }
  stopPropagation() { this.#flags |= STOP; }
  stopImmediatePropagation() { this.#flags |= STOP | STOP_NOW; }
  preventDefault() { this.#cancel(); }

  initEvent(type, bubbles = false, cancelable = false) {
    needArguments(arguments, 1, "Event", "initEvent");
    type = `${type}`;
    if (this.#flags & DISPATCHING) return;
    this.#type = type;
    this.#target = null;
    this.#flags = (bubbles ? BUBBLES : 0) | (cancelable ? CANCELABLE : 0);
  }

  #cancel() {
    if ((this.#flags & (CANCELABLE | PASSIVE)) === CANCELABLE) this.#flags |= CANCELED;
  }

  static {
    trust = (event, trusted = true) => {
      if (trusted) event.#flags |= TRUSTED;
      else event.#flags &= ~TRUSTED;
      return event;
    };
    isDispatching = (event) => (event.#flags & DISPATCHING) !== 0;
    // There is no tree: the target is the whole path.
    fire = (event, target, listeners, call) => {
      event.#flags |= DISPATCHING;
      event.#target = target;
      event.#current = target;
      event.#phase = AT_TARGET;
      if (listeners !== undefined && !(event.#flags & STOP)) {
        for (const listener of listeners) {
          if (listener.removed) continue;
          if (listener.passive) event.#flags |= PASSIVE;
          call(listener, event);
          event.#flags &= ~PASSIVE;
          if (event.#flags & STOP_NOW) break;
        }
      }
      event.#phase = NONE;
      event.#current = null;
      event.#flags &= ~(DISPATCHING | STOP | STOP_NOW);
      return (event.#flags & CANCELED) === 0;
    };
    isTrusted = {
      get: Object.getOwnPropertyDescriptor(
        { get isTrusted() { return (this.#flags & TRUSTED) !== 0; } }, "isTrusted").get,
      enumerable: true,
      configurable: false,
    };
  }
}

shape(Event);
constants(Event, { NONE, CAPTURING_PHASE: 1, AT_TARGET, BUBBLING_PHASE: 3 });
