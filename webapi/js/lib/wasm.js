// compileStreaming and instantiateStreaming, which V8 leaves to its host:
// https://webassembly.github.io/spec/web-api/#streaming-modules

import { isResponse } from "../core/response.js";

async function bytesFrom(source) {
  const response = await source;
  if (!isResponse(response)) throw new TypeError("WebAssembly: the source is not a Response");
  if (!response.ok) throw new TypeError(`WebAssembly: the response's status is ${response.status}`);
  const type = response.headers.get("content-type");
  if (type === null || type.trim().toLowerCase() !== "application/wasm") {
    throw new TypeError(`WebAssembly: the response's type is ${type ?? "missing"}, not application/wasm`);
  }
  return response.arrayBuffer();
}

const functions = {
  async compileStreaming(source) {
    return WebAssembly.compile(await bytesFrom(source));
  },
  async instantiateStreaming(source, imports = undefined) {
    return WebAssembly.instantiate(await bytesFrom(source), imports);
  },
};

// installWasmStreaming can't run while the snapshot is made: WebAssembly isn't there yet.
export function installWasmStreaming() {
  for (const [name, value] of Object.entries(functions)) {
    Object.defineProperty(WebAssembly, name, { value, writable: true, enumerable: true, configurable: true });
  }
}
