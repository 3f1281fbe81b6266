// Pump sends a response's body to the client as it comes, and no faster than the client takes it.
import { native } from "../native.js";
import { reader } from "./body.js";
import { register } from "./calls.js";
import { describe } from "./failure.js";
import { finish } from "./life.js";
import { CHUNK, END, FAIL } from "./ops.js";

const WINDOW = 256 * 1024; // bytes that Go may hold
const SLICE = 64 * 1024; // bytes of one message

export class Pump {
  #record;
  #reader;
  #unacknowledged = 0;
  #stopped = false;
  #wake; // ends the wait for room

  // source: a RemoteBody or an unlocked stream.
  constructor(record, source) {
    this.#record = record;
    this.#reader = reader(source);
  }

  async run() {
    try {
      for (;;) {
        const chunk = await this.#reader.read();
        if (this.#stopped) return;
        if (chunk === null) break;
        if (!(await this.#send(chunk))) return;
      }
      native.post(END, this.#record.id);
    } catch (error) {
      if (this.#stopped) return;
      this.#stopped = true;
      const { message, stack } = describe(error);
      native.post(FAIL, this.#record.id, message, stack);
      this.#cancel(error);
    }
    finish(this.#record);
  }

  // stop gives the response up: the client has gone.
  stop(reason) {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#cancel(reason);
    this.#wake?.();
    finish(this.#record);
  }

  async #cancel(reason) {
    try {
      await this.#reader.cancel(reason);
    } catch {
      // The stream is the app's, and the response has ended already.
    }
  }

  // send answers false when the pump was stopped meanwhile.
  async #send(chunk) {
    for (let start = 0; start < chunk.byteLength; start += SLICE) {
      const slice = chunk.byteLength <= SLICE ? chunk : chunk.subarray(start, start + SLICE);
      while (this.#unacknowledged + slice.byteLength > WINDOW) {
        await new Promise((resolve) => { this.#wake = resolve; });
        if (this.#stopped) return false;
      }
      const length = slice.byteLength;
      this.#unacknowledged += length;
      const number = register(() => {
        this.#unacknowledged -= length;
        this.#wake?.();
      }, (error) => this.stop(error));
      native.post(CHUNK, this.#record.id, slice, number);
    }
    return true;
  }
}
