// The bridge to the process. webapi/generate wraps the bundle in `(native) => …`; this module is the only one that
// reads that name, the others import it from here.

/* global native */
const bridge = native;

export { bridge as native };
