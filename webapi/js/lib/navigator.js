import { shape } from "./idl.js";

const secret = Symbol("Navigator");

export class Navigator {
  #brand;

  constructor(key) {
    if (key !== secret) throw new TypeError("Illegal constructor");
  }

  get userAgent() {
    this.#brand;
    return "NANO";
  }
}

shape(Navigator);

export const navigator = new Navigator(secret);
