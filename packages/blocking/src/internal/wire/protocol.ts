/**
 * The messages between a scheduler and its threads. Types and numeric tags only;
 * both sides import this file, and pool threads load it: it imports nothing at
 * run time.
 *
 * Scheduler to thread: `Define` and `Chunk` before the first `Run` that uses the index; `Run`
 * at any time after `Ready`, with up to `controlBlock.capacity` tasks out at once;
 * `Answer` for each `Call` that wants one, if its run has not ended; `Retire` as the last message.
 * Thread to scheduler: `Ready` first, once; then `Progress` whenever tasks have ended,
 * at the latest when the thread becomes idle; `Call` while a body runs, and once after it;
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
 * A batch: `count` tasks, from sequence number `first` on. The control block holds their arguments, or the
 * address of a payload; the message has those that fit in neither: `offset, arguments`
 * for each such task, flat.
 */
export type RunMessage = [tag: typeof Run, first: number, count: number, ...posted: Array<unknown>]

/** Memory for arguments: sent before the first task that uses it, and without memory when it is given up. */
export type ChunkMessage = readonly [tag: typeof Chunk, index: number, memory: SharedArrayBuffer | undefined]

/** Reserved task index: resume a body that was left at a `yield`. The one argument is its number. */
export const Resume = -1
/** Reserved task index: end such a body at its `yield`, by `return()`. */
export const Close = -2

/** The answer to a call: a status, as for a run, with its value. */
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
 * Tasks have ended: the control block says which. The last of them may have a result
 * that the block does not hold. It is posted at once, before the next task is claimed,
 * so that a thread that dies in that one has lost nothing.
 */
export type ProgressMessage =
  | readonly [tag: typeof Progress]
  | readonly [tag: typeof Progress, sequence: number, status: number, value: unknown]

/** An uncaught error, and the task that ran last; or the number of further ones, if they are not reported one by one. */
export type UncaughtMessage =
  | readonly [tag: typeof Uncaught, error: EncodedValue, task: string | undefined]
  | readonly [tag: typeof Uncaught, more: number]

/** Reserved callback key: request the next input chunk. The answer is `undefined` at the end of the input. */
export const inputKey = "effect-blocking/input"
/** Reserved callback key: elements sent while the body keeps running. */
export const outputKey = "effect-blocking/output"

/**
 * The body with this sequence number calls the program. `call` counts the calls of the thread
 * that want an answer: it is positive if the body waits, with its thread blocked; negative if the
 * thread goes on; 0 for a notification, which gets no answer. A `Call` without a `callback`
 * is answered when all notifications before it are handled: the loop sends it after a
 * body. With a `callback`, and negative, it comes from a body that is about to be left at a `yield`: `Yielded`
 * comes next, then the call is made, and the answer comes before the body is resumed.
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

/** The `value` that follows is the body's result. */
export const Succeeded = 0
/** … the domain error, encoded; for a loop, in an `ItemEnd`. */
export const Failed = 1
/** … the thrown value, encoded; for a loop, in an `ItemEnd`, if a body threw it. */
export const Panicked = 2
/** The body was left by a checkpoint, or never entered, because a stop was requested. */
export const Stopped = 3
/** … a `NotCloneableValue`. */
export const NotCloneable = 4
/** … a `LoadFailure`. */
export const NotLoaded = 5
/** … a `JoinErrorReason`, with which a test ends the task. Only simulated threads send it. */
export const Injected = 6
/** … buffers of the body's result that are not in the ring; the rest of the result is there. */
export const SucceededInParts = 7
/** … a text that says why the call cannot be made. Only in an `Answer`. */
export const Refused = 8

/** … a `YieldedValue`: the body was left at a `yield`, to be resumed. */
export const Yielded = 9
/** … an `EndedValue`: the elements since the body was resumed, and its outcome. */
export const Ended = 10

/** The number of the body, the yielded elements, and, if the next element cannot cross, the reason: then the body has to end. */
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
  /** In a loop: the index of the item. */
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

/** The start data of a thread. */
export interface ThreadStart {
  /** The scheduler's version. */
  readonly version: Version
  /** The memory of the control block. */
  readonly control: SharedArrayBuffer
  /** The memory of the thread's ring of results; `undefined`: it posts them. */
  readonly results: SharedArrayBuffer | undefined
  readonly threadData: unknown
  readonly preload: ReadonlyArray<string>
  /** Whether the thread measures its heap each time that it becomes idle. */
  readonly measureHeap: boolean
}
