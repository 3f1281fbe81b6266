// The numbers of the messages between JavaScript and Go. Go's side of the same list is isolate/op.go.

// From JavaScript to Go: native.post(op, id, …).
export const RESPOND = 1; // id, status, headers, body: undefined none | string | bytes | true = chunks follow
export const CHUNK = 2; // id, string or bytes, call
export const END = 3; // id
export const FAIL = 4; // id, message, stack
export const READ_BODY = 5; // call, request → bytes | null
export const CANCEL_BODY = 6; // 0, request
export const DONE = 7; // id
export const TIMER = 8; // id, milliseconds
export const CLEAR = 9; // id
export const LOG = 10; // request or 0, level, text
export const UNHANDLED = 11; // request or 0, message, stack
// call, method, url, headers, body: undefined | string | bytes | true = writes follow, true = ask the app's static files
// → status, reason, headers, body: the bytes of a small one | true = to be read | false
export const FETCH = 32;
export const FETCH_READ = 33; // call, fetch → bytes | null
export const FETCH_WRITE = 34; // call, fetch, bytes → true; false: nobody wants more
export const FETCH_CLOSE = 35; // 0, fetch
export const FETCH_ABORT = 36; // 0, fetch: what is left of it is dropped
export const DIGEST = 37; // call, algorithm, bytes → bytes

// From Go to JavaScript: dispatch(op, id, …).
export const IN_REQUEST = 1; // id, method, url, headers, body: undefined none | bytes | number = streamed
export const IN_ABORT = 2; // id, message, true = give up waitUntil as well
export const IN_RESULT = 3; // call, values…
export const IN_ERROR = 4; // call, name, message
export const IN_TIMER = 5; // id
export const IN_LOAD = 6; // 0, module namespace: the app's module was evaluated
export const IN_ENV = 7; // 0, env as JSON, app's name, whether the app has assets: its module will be evaluated
export const IN_CHECK = 8; // 0: promises were rejected

// Levels of LOG.
export const DEBUG = 0;
export const INFO = 1;
export const WARN = 2;
export const ERROR = 3;
