export { env } from "./env.js"

export class WorkerEntrypoint {
  constructor(ctx, env) {
    this.ctx = ctx
    this.env = env
  }
}

export class RpcTarget {}

// waitUntil without a ctx at hand: the runtime knows which request is running.
export function waitUntil(promise) {
  const hook = globalThis[Symbol.for("nano.waitUntil")]
  if (!hook) throw new Error("waitUntil can only be called while a request is handled")
  hook(promise)
}
