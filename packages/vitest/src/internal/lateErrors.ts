/**
 * Late errors of a body: a timer throws, or a rejection is unhandled, after the body has returned. A real
 * thread reports them to its pool. Here they occur in the process of the test run, where Vitest would fail
 * the run. They are recognized by their async context and removed before any listener of the process sees
 * them.
 */
import { AsyncLocalStorage } from "node:async_hooks"

type Receiver = (error: unknown) => void

const key = Symbol.for("@effect-blocking/vitest/lateErrors")

/** One for the process, because several copies of this module may be loaded. */
const slot = process as typeof process & { [key]?: AsyncLocalStorage<Receiver> }

/** Calls a function. The receiver gets its late errors, however late they occur. */
export const receiving = <A>(receiver: Receiver, f: () => A): A => (slot[key] ??= install()).run(receiver, f)

// A listener cannot hide an error from other listeners, so `emit` is replaced, as source map tools do. It
// is never restored, because the last timer of a body cannot be known.
const install = (): AsyncLocalStorage<Receiver> => {
  const receivers = new AsyncLocalStorage<Receiver>()
  const emit = process.emit as (this: typeof process, event: string | symbol, ...args: Array<unknown>) => boolean
  const emitOthers: typeof emit = function(event, ...args) {
    const receiver = event === "uncaughtException" || event === "unhandledRejection" ? receivers.getStore() : undefined
    if (receiver === undefined) return emit.call(this, event, ...args)
    receiver(args[0])
    return true
  }
  process.emit = emitOthers as typeof process.emit
  return receivers
}
