/** The options of a pool as the scheduler uses them: validated, times in milliseconds. */
import type { RecycleOptions } from "./recycling.ts"

export interface ThreadsOptions {
  readonly minThreads: number
  readonly maxThreads: number
  readonly keepAliveMillis: number
  readonly graceMillis: number
  readonly terminateMillis: number
  readonly threadData: unknown
  /** Urls of task modules. */
  readonly preload: ReadonlyArray<string>
  /** When threads are replaced; `undefined`: never. */
  readonly recycle: RecycleOptions | undefined
}

export interface SchedulerOptions extends ThreadsOptions {
  readonly queueCapacity: number
  readonly onFull: "suspend" | "fail"
  readonly shutdownMillis: number
  readonly resourceLimits: Readonly<Record<string, number>>
}
