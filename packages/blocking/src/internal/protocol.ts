/**
 * The messages between a scheduler and its threads. Types and numeric tags only;
 * both sides import this file, and pool threads load it: it imports nothing at
 * run time.
 *
 * Scheduler to thread: `Define` before the first `Run` that uses the index; `Run`
 * at any time after `Ready`, with up to `controlBlock.capacity` tasks out at once;
 * `Retire` as the last message.
 * Thread to scheduler: `Ready` first, once; then `Results`, one entry for every
 * task it was sent, in the order sent; `Stray` at any time; it exits after `Retire`.
 */
import type { EncodedValue } from "./thrown.ts"

export const Run = 0
export const Define = 1
export const Retire = 2

/** `sequence, index, arguments` for each task, flat: one array for a batch, whatever its size. */
export type RunMessage = [tag: typeof Run, ...entries: Array<unknown>]

export type ToThread =
  | RunMessage
  | readonly [tag: typeof Define, index: number, module: string, name: string]
  | readonly [tag: typeof Retire]

export const Ready = 0
export const Results = 1
export const Stray = 2

/**
 * `sequence, status, value, startedAt, endedAt` for each task, flat. Times are on the
 * host's clock; `startedAt` is 0 for a body that was never entered.
 */
export type ResultsMessage = [tag: typeof Results, ...entries: Array<unknown>]

export type FromThread =
  | readonly [tag: typeof Ready, preloadFailures: ReadonlyArray<PreloadFailure>]
  | ResultsMessage
  | readonly [tag: typeof Stray, error: EncodedValue, task: string | undefined]

export const resultStride = 5

/** The `value` that follows is the body's result, as it arrives. */
export const Succeeded = 0
/** … the domain error, encoded. */
export const Failed = 1
/** … what the body threw, encoded. */
export const Panicked = 2
/** The body was left by a checkpoint, or never entered, because a stop was requested. */
export const Stopped = 3
/** The scheduler had revoked it. */
export const Skipped = 4
/** … a `NotCloneableValue`. */
export const NotCloneable = 5
/** … a `LoadFailure`. */
export const NotLoaded = 6

export interface NotCloneableValue {
  readonly side: "argument" | "success" | "failure"
  readonly path: string
  readonly detail: string
}

export interface LoadFailure {
  /** `undefined` when the module loaded but does not register the name. */
  readonly cause: EncodedValue | undefined
  /** The names that the module registers. */
  readonly names: ReadonlyArray<string>
}

export interface PreloadFailure extends LoadFailure {
  readonly module: string
}

/** What a thread is started with. */
export interface ThreadStart {
  readonly control: Int32Array
  readonly threadData: unknown
  readonly preload: ReadonlyArray<string>
}
