/** Stops runs from Effect, according to the task's `onInterrupt`, within a bounded time. */
import * as Effect from "effect/Effect"
import { Done, type Run, type StopBy } from "../scheduler/run.ts"
import type { Scheduler } from "../scheduler/scheduler.ts"
import { callbacksOf } from "./callbacks.ts"

/**
 * Stops all runs together, and returns when each has ended or was abandoned. Does not wait for runs whose
 * `onInterrupt` is `"abandon"`.
 */
export const stopAndWait = (scheduler: Scheduler, runs: ReadonlyArray<Run>, by: StopBy): Effect.Effect<void> =>
  Effect.suspend(() => {
    for (const run of runs) scheduler.stop(run, by)
    const left = runs.filter(isWaitedFor)
    return Effect.andThen(left.length === 0 ? Effect.void : ended(scheduler, left), callbacksEnded(runs))
  })

/**
 * Like `stopAndWait` for one run, but stops it immediately. Allocates nothing if the run has not started,
 * because many may be stopped together.
 */
export const stopUnsafe = (scheduler: Scheduler, run: Run, by: StopBy): Effect.Effect<void> => {
  const callbacks = callbacksOf(run)
  scheduler.stop(run, by)
  const end = isWaitedFor(run) ? ended(scheduler, [run]) : Effect.void
  return callbacks === undefined ? end : Effect.andThen(end, callbacks.ended)
}

/** Waits for the callback fibers of the runs, which are stopped with them. */
const callbacksEnded = (runs: ReadonlyArray<Run>): Effect.Effect<void> =>
  Effect.forEach(runs, (run) => callbacksOf(run)?.ended ?? Effect.void, { discard: true })

export const isWaitedFor = (run: Run): boolean => run.state !== Done && run.task.onInterrupt !== "abandon"

const ended = (scheduler: Scheduler, runs: ReadonlyArray<Run>): Effect.Effect<void> =>
  Effect.callback((resume) => {
    let left = runs.length
    for (const run of runs) {
      scheduler.outcomes.observe(run, () => {
        left--
        if (left === 0) resume(Effect.void)
      })
    }
  })
