import { currentFrame, enter } from "../core/context.js";
import { setTimeout } from "../core/timers.js";
import { cloneAndMove, transferable } from "./clone.js";
import { DOMException } from "./domexception.js";
import { trust } from "./event.js";
import { EventTarget, dispatch, getHandler, setHandler } from "./eventtarget.js";
import { MessageEvent } from "./events.js";
import { dictionary, eventHandler, isObject, needArguments, shape } from "./idl.js";

const secret = Symbol("MessagePort");

// The ports of one process of delivery share a timer of no time: a message is a task, not a microtask.
const due = [];

function deliverLater(port) {
  due.push(port);
  if (due.length === 1) setTimeout(deliverAll, 0);
}

function deliverAll() {
  for (const port of due.splice(0)) deliver(port);
}

let deliver;
let pair;

export class MessagePort extends EventTarget {
  #other; // undefined once the port is closed or was moved
  #queue = [];
  #started = false;
  #detached = false;

  constructor(key) {
    if (key !== secret) throw new TypeError("Illegal constructor");
    super();
  }

  postMessage(message, options = undefined) {
    needArguments(arguments, 1, "MessagePort", "postMessage");
    const list = transferList(options);
    if (list.includes(this)) throw new DOMException("a port can't be sent through itself", "DataCloneError");
    const target = this.#other;
    const { value, moved } = cloneAndMove(message, list);
    if (target === undefined || list.includes(target)) return;
    target.#enqueue({ data: value, ports: moved.filter((object) => object instanceof MessagePort) });
  }

  start() {
    if (this.#started) return;
    this.#started = true;
    for (let i = 0; i < this.#queue.length; i++) deliverLater(this);
  }

  close() {
    const other = this.#other;
    this.#other = undefined;
    if (other !== undefined) other.#other = undefined;
  }

  #enqueue(message) {
    this.#queue.push({ message, frame: currentFrame() });
    if (this.#started) deliverLater(this);
  }

  static {
    deliver = (port) => {
      const next = port.#queue.shift();
      if (next === undefined) return;
      enter(next.frame); // of the request, with the stores, that sent it
      dispatch(port, trust(new MessageEvent("message", next.message)));
    };
    pair = (a, b) => {
      a.#other = b;
      b.#other = a;
    };
    const move = (port) => {
      const target = new MessagePort(secret);
      target.#queue = port.#queue;
      const other = port.#other;
      port.#queue = [];
      port.#detached = true;
      port.#other = undefined;
      if (other !== undefined) pair(target, other);
      return target;
    };
    transferable((value) => isObject(value) && #queue in value, (port) => !port.#detached, move);
  }
}

export class MessageChannel {
  #port1 = new MessagePort(secret);
  #port2 = new MessagePort(secret);

  constructor() {
    pair(this.#port1, this.#port2);
  }

  get port1() { return this.#port1; }
  get port2() { return this.#port2; }
}

// transferList reads the second argument of postMessage: a list, or options with one.
function transferList(options) {
  if (isObject(options) && typeof options[Symbol.iterator] === "function") return [...options];
  const { transfer } = dictionary(options, "postMessage");
  return transfer === undefined ? [] : [...transfer];
}

shape(MessagePort);
shape(MessageChannel);
eventHandler(MessagePort.prototype, "message", {
  get: getHandler,
  set(port, type, value) {
    setHandler(port, type, value);
    port.start();
  },
});
eventHandler(MessagePort.prototype, "messageerror", { get: getHandler, set: setHandler });
