/**
 * The messages between a scheduler and its threads. Types and numeric tags only;
 * both sides import this file, and pool threads load it: it imports nothing at
 * run time.
 *
 * Scheduler to thread: `Define` and `Chunk` before the first `Run` that uses the index; `Run`
 * at any time after `Ready`, with up to `controlBlock.capacity` tasks out at once;
 * `Retire` as the last message.
 * Thread to scheduler: `Ready` first, once; then `Progress` whenever tasks have ended,
 * at the latest when there is nothing left to do; `Uncaught` at any time; after `Retire`
 * it sends `Released` and exits.
 */
import type { EncodedValue } from "./errorTable.ts"
import type { Version } from "./version.ts"

export const Run = 0
export const Define = 1
export const Retire = 2
export const Chunk = 3

/**
 * A batch: so many tasks, from that sequence number on. The control block has the rest, or tells
 * in which chunk it lies, but for the arguments that have no place there: `offset, arguments`
 * for each such task, flat.
 */
export type RunMessage = [tag: typeof Run, first: number, count: number, ...posted: Array<unknown>]

/** Memory in which arguments lie: sent before the first task of which they are, and without memory when it is given up. */
export type ChunkMessage = readonly [tag: typeof Chunk, index: number, memory: SharedArrayBuffer | undefined]

export type ToThread =
  | RunMessage
  | readonly [tag: typeof Define, index: number, module: string, name: string]
  | readonly [tag: typeof Retire]
  | ChunkMessage

export const Ready = 0
export const Progress = 1
export const Uncaught = 2
/** The values of `Task.threadLocal` are released: the thread ends. */
export const Released = 3

/**
 * Tasks have ended: the control block tells which. The last of them may have a result
 * that the block does not hold. It is posted at once, before the next task is claimed,
 * so that a thread that dies in that one has lost nothing.
 */
export type ProgressMessage =
  | readonly [tag: typeof Progress]
  | readonly [tag: typeof Progress, sequence: number, status: number, value: unknown]

/** An error that nobody caught, and the task that ran last; or how many more there were, if they are not told one by one. */
export type UncaughtMessage =
  | readonly [tag: typeof Uncaught, error: EncodedValue, task: string | undefined]
  | readonly [tag: typeof Uncaught, more: number]

export type FromThread =
  | readonly [tag: typeof Ready, preloadFailures: ReadonlyArray<PreloadFailure>]
  | ProgressMessage
  | UncaughtMessage
  | readonly [tag: typeof Released]

/** The `value` that follows is the body's result, as it arrives. */
export const Succeeded = 0
/** … the domain error, encoded. */
export const Failed = 1
/** … what the body threw, encoded. */
export const Panicked = 2
/** The body was left by a checkpoint, or never entered, because a stop was requested. */
export const Stopped = 3
/** … a `NotCloneableValue`. */
export const NotCloneable = 4
/** … a `LoadFailure`. */
export const NotLoaded = 5
/** … a `JoinErrorReason`: a test wants the task to end with that. Only simulated threads send it. */
export const Injected = 6
/** … the parts of the body's result, buffers, that are not in the ring, where the rest of it lies. */
export const SucceededInParts = 7

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
  /** Of the scheduler. */
  readonly version: Version
  /** The memory of the control block. */
  readonly control: SharedArrayBuffer
  /** The memory of the ring in which the thread leaves results; `undefined`: it posts them. */
  readonly results: SharedArrayBuffer | undefined
  readonly threadData: unknown
  readonly preload: ReadonlyArray<string>
  /** Whether the thread measures its heap each time that it has nothing more to do. */
  readonly measureHeap: boolean
}
