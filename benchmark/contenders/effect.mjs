/**
 * Effect alone, without a thread: a callback that is resumed in the next microtask. No pool
 * under Effect can be faster. Blocked, it only keeps what resumes the fibers that wait.
 */
import { Effect } from "effect"
import { setImmediate } from "node:timers/promises"

/** Arbitrary: fibers resumed per turn of the event loop. */
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
        /** Row `queued`: the fiber that waits at place i asked for i + 1. */
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
