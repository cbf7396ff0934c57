/** Pools of processes for tests. */
import { Effect } from "effect"
import { poll } from "../fixtures/native.ts"

export const isolation = "process"
export const quick = { isolation, maxThreads: 1, gracePeriod: "1 millis" } as const
export const patient = { isolation, maxThreads: 1, gracePeriod: "1 minute" } as const

/** Each test starts processes: all at once they would take the machine from other tests. */
export const oneByOne = { concurrent: false }

/** Waits until there is no such process. */
export const gone = (pid: number): Effect.Effect<void> =>
  Effect.asVoid(Effect.repeat(
    Effect.sync(() => {
      try {
        return process.kill(pid, 0)
      } catch {
        return false
      }
    }),
    { until: (isThere) => !isThere, schedule: poll }
  ))
