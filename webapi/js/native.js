// The bridge to the process. webapi/generate wraps the bundle in `(native) => …`; this module is the only one that
// reads that name, the others import it from here.

/* global native */
const bridge = native;
let current = bridge;

// standIn puts an object in the place of the bridge, and undefined the bridge back: see rehearsal.js.
export function standIn(object) {
  current = object ?? bridge;
}

export { bridge, current as native };
