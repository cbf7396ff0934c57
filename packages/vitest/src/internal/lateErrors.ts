/**
 * Errors that a body leaves behind: a timer of it throws, or nobody handles a rejection, after
 * it has returned. A thread reports them to its pool. Here the process of the test run has
 * them, in which Vitest fails the run, so they are told from others by their async context
 * and taken out before any listener of the process hears of them.
 */
import { AsyncLocalStorage } from "node:async_hooks"

type Receiver = (error: unknown) => void

const key = Symbol.for("@effect-blocking/vitest/lateErrors")

/** One for a process: several copies of this module can meet in one. */
const slot = process as typeof process & { [key]?: AsyncLocalStorage<Receiver> }

/** Calls a function. The receiver gets what it leaves behind, however late that is. */
export const receiving = <A>(receiver: Receiver, f: () => A): A => (slot[key] ??= install()).run(receiver, f)

// Listeners cannot keep an error from each other, so it is `emit` that is replaced, as tools for source
// maps do. It stays, because nobody knows when the last timer of a body has run.
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
