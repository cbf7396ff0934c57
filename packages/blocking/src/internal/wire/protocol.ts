/**
 * The messages between a scheduler and its threads. Types and numeric tags only;
 * both sides import this file, and pool threads load it: it imports nothing at
 * run time.
 *
 * Scheduler to thread: `Define` and `Chunk` before the first `Run` that uses the index; `Run`
 * at any time after `Ready`, with up to `controlBlock.capacity` tasks out at once;
 * `Answer` for each `Call` that asks for one, if its run has not ended; `Retire` as the last message.
 * Thread to scheduler: `Ready` first, once; then `Progress` whenever tasks have ended,
 * at the latest when there is nothing left to do; `Call` while a body runs, and once behind it;
 * `Uncaught` at any time; after `Retire`
 * it sends `Released` and exits.
 */
import type { EncodedValue } from "./errorTable.ts"
import type { LoopKind } from "./loops.ts"
import type { Version } from "./version.ts"

export const Run = 0
export const Define = 1
export const Retire = 2
export const Chunk = 3
export const Answer = 4

/**
 * A batch: so many tasks, from that sequence number on. The control block has the rest, or tells
 * in which chunk it lies, but for the arguments that have no place there: `offset, arguments`
 * for each such task, flat.
 */
export type RunMessage = [tag: typeof Run, first: number, count: number, ...posted: Array<unknown>]

/** Memory in which arguments lie: sent before the first task of which they are, and without memory when it is given up. */
export type ChunkMessage = readonly [tag: typeof Chunk, index: number, memory: SharedArrayBuffer | undefined]

/** In the place of a task's index: go on with a body that was left at a `yield`. The one argument is its number. */
export const Resume = -1
/** … end it there, by `return()`. */
export const Close = -2

/** What has become of a call: a status as of a run, with what goes with it. */
export type AnswerMessage = readonly [tag: typeof Answer, call: number, status: number, value: unknown]

export type ToThread =
  | RunMessage
  | AnswerMessage
  | readonly [tag: typeof Define, index: number, module: string, name: string, loop: LoopKind | undefined]
  | readonly [tag: typeof Retire]
  | ChunkMessage

export const Ready = 0
export const Progress = 1
export const Uncaught = 2
/** The values of `Task.threadLocal` are released: the thread ends. */
export const Released = 3
export const Call = 4

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

/** In the place of a callback's key: the body wants more of its input, a chunk or, when there is none, `undefined` … */
export const inputKey = "effect-blocking/input"
/** … or has yielded these elements, and is not left for that: it is about to wait, or makes more. */
export const outputKey = "effect-blocking/output"

/**
 * The body with that sequence number calls the program. `call` counts the calls of the thread
 * that are answered: it is positive if the body waits, with its thread blocked; negative if the
 * thread goes on; 0 for a notification, to which there is no answer. Without a `callback` it only
 * asks to be answered when all notifications before it are handled, which the loop does behind a
 * body. With one, and negative, it is of a body that is about to be left at a `yield`: `Yielded`
 * comes next, the call is made then, and its answer comes before the body is resumed.
 */
export type CallMessage = readonly [
  tag: typeof Call,
  sequence: number,
  call: number,
  callback: string | undefined,
  args: ReadonlyArray<unknown>
]

export type FromThread =
  | readonly [tag: typeof Ready, preloadFailures: ReadonlyArray<PreloadFailure>]
  | ProgressMessage
  | UncaughtMessage
  | CallMessage
  | readonly [tag: typeof Released]

/** The `value` that follows is the body's result, as it arrives. */
export const Succeeded = 0
/** … the domain error, encoded; of a loop an `ItemEnd` with it. */
export const Failed = 1
/** … what the body threw, encoded; of a loop an `ItemEnd` with it, if a body threw it. */
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
/** … a text: the call cannot be made. Only an `Answer` has it. */
export const Refused = 8

/** The body was left at a `yield`: a `YieldedValue`. It goes on when it is resumed. */
export const Yielded = 9
/** What the body had yielded since it was resumed, and how it has ended: an `EndedValue`. */
export const Ended = 10

/** The number of the body that was left, what it has yielded, and why it has to end there: the next element cannot cross. */
export type YieldedValue = readonly [
  id: number,
  elements: Array<unknown>,
  uncloneable?: NotCloneableValue
]

export type EndedValue = readonly [elements: Array<unknown>, status: number, value: unknown]

export interface NotCloneableValue {
  readonly side: "argument" | "success" | "failure"
  readonly path: string
  readonly detail: string
  /** Of a loop: the index of the item. */
  readonly item?: number | undefined
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
