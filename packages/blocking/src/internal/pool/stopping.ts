/** Stopping runs from Effect: as the task's `onInterrupt` says, and with a bound. */
import * as Effect from "effect/Effect"
import { Done, type Run, type StopBy } from "../scheduler/run.ts"
import type { Scheduler } from "../scheduler/scheduler.ts"
import { callbacksOf } from "./callbacks.ts"

/**
 * Stops all of them at once, and returns when each has ended or was abandoned; those
 * whose policy is to abandon are not waited for.
 */
export const stopAndWait = (scheduler: Scheduler, runs: ReadonlyArray<Run>, by: StopBy): Effect.Effect<void> =>
  Effect.suspend(() => {
    for (const run of runs) scheduler.stop(run, by)
    const left = runs.filter(isWaitedFor)
    return Effect.andThen(left.length === 0 ? Effect.void : ended(scheduler, left), callbacksEnded(runs))
  })

/** The same for one run, at once, and allocating nothing if it has not started: many can be stopped together. */
export const stopUnsafe = (scheduler: Scheduler, run: Run, by: StopBy): Effect.Effect<void> => {
  const callbacks = callbacksOf(run)
  scheduler.stop(run, by)
  const end = isWaitedFor(run) ? ended(scheduler, [run]) : Effect.void
  return callbacks === undefined ? end : Effect.andThen(end, callbacks.ended)
}

/** What the callbacks of the runs have begun is over, too: they are stopped with them. */
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
