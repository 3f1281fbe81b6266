import { shape } from "../idl.js";

// polyfill is evaluated when the first pattern is made.
const polyfill = () => require("urlpattern-polyfill/urlpattern").URLPattern;

export class URLPattern {
  #pattern;

  constructor(input = undefined, base = undefined, options = undefined) {
    const Pattern = polyfill();
    this.#pattern = new Pattern(input, base, options);
  }

  get protocol() { return this.#pattern.protocol; }
  get username() { return this.#pattern.username; }
  get password() { return this.#pattern.password; }
  get hostname() { return this.#pattern.hostname; }
  get port() { return this.#pattern.port; }
  get pathname() { return this.#pattern.pathname; }
  get search() { return this.#pattern.search; }
  get hash() { return this.#pattern.hash; }
  get hasRegExpGroups() { return this.#pattern.hasRegExpGroups; }

  test(input = undefined, base = undefined) { return this.#pattern.test(input, base); }
  exec(input = undefined, base = undefined) { return this.#pattern.exec(input, base); }
}

shape(URLPattern);
