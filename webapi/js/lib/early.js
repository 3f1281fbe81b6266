// What the bundled packages look up on the global while they are evaluated. The entry script imports this first.

import { DOMException } from "./domexception.js";
import { AbortController, AbortSignal } from "./abort.js";
import { expose } from "./idl.js";

expose({ DOMException, AbortController, AbortSignal });
