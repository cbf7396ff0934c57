/**
 * Effect alone, without a thread: a callback that is resumed in the next microtask. No pool
 * under Effect can be faster. While blocked, it only keeps the functions that resume its fibers.
 */
import { Effect } from "effect"
import { setImmediate } from "node:timers/promises"

/** Fibers resumed per iteration of the event loop. Arbitrary. */
const perTurn = 1000

export const start = async () => {
  let waiting
  const run = (_task, a, b) =>
    Effect.callback((resume) => {
      if (waiting === undefined) queueMicrotask(() => resume(Effect.succeed(a + b)))
      else waiting.push(resume)
    })
  return {
    run,
    abortable: run,
    block: async () => {
      waiting = []
      return {
        /** Row `queued`: the fiber at index i asked for i + 1. */
        open: async () => {
          const resumes = waiting
          waiting = undefined
          for (let i = 0; i < resumes.length; i++) {
            resumes[i](Effect.succeed(i + 1))
            if (i % perTurn === 0) await setImmediate()
          }
        }
      }
    },
    close: async () => {}
  }
}
