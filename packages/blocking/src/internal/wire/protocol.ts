/**
 * The messages between a scheduler and its threads: types and numeric tags only.
 * Both sides import this file, and pool threads load it: it imports nothing at
 * run time.
 *
 * Scheduler to thread: `Define` and `Chunk` before the first `Run` that uses the index; `Run`
 * at any time after `Ready`, with up to `controlBlock.capacity` tasks out at once;
 * `Answer` for each `Call` that asks for one, if its run has not ended; `Retire` as the last message.
 * Thread to scheduler: `Ready` first, once; then `Progress` when tasks have ended, at the latest
 * when the thread has nothing left to do; `Call` while a body runs, and once after it;
 * `Uncaught` at any time. After `Retire` the thread sends `Released` and exits.
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
 * A batch: `count` tasks, from the sequence number `first` on. The control block has the rest, or
 * the chunk in which it lies. Arguments that fit in neither are posted: `offset, arguments` for
 * each such task, flat.
 */
export type RunMessage = [tag: typeof Run, first: number, count: number, ...posted: Array<unknown>]

/** Memory for arguments. Sent before the first task that uses it; sent without memory when it is given up. */
export type ChunkMessage = readonly [tag: typeof Chunk, index: number, memory: SharedArrayBuffer | undefined]

/** In place of a task's index: resume a body that was left at a `yield`. The one argument is its number. */
export const Resume = -1
/** … end that body there, by `return()`. */
export const Close = -2

/** The outcome of a call: a status, as for a run, and its value. */
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
 * Tasks have ended; the control block shows which. The last of them may have a result
 * that the block does not hold. It is posted at once, before the thread claims the next
 * task: nothing is lost if the thread dies in that one.
 */
export type ProgressMessage =
  | readonly [tag: typeof Progress]
  | readonly [tag: typeof Progress, sequence: number, status: number, value: unknown]

/** An uncaught error and the task that ran last; or the number of further errors, when they are not reported one by one. */
export type UncaughtMessage =
  | readonly [tag: typeof Uncaught, error: EncodedValue, task: string | undefined]
  | readonly [tag: typeof Uncaught, more: number]

/** In place of a callback's key: the body wants more input. The answer is a chunk, or `undefined` at the end … */
export const inputKey = "effect-blocking/input"
/** … or the body has yielded these elements and is not left: it is about to wait, or makes more. */
export const outputKey = "effect-blocking/output"

/**
 * The body with that sequence number calls the program. `call` counts the calls of the thread
 * that are answered. It is positive if the body waits and blocks its thread, negative if the
 * thread continues, and 0 for a notification, which has no answer.
 *
 * Without a `callback`, the message asks for an answer when all earlier notifications are
 * handled; the thread's loop sends it after a body. With a `callback` and a negative `call`, the
 * body is about to be left at a `yield`: `Yielded` comes next, the call is made then, and its
 * answer comes before the body is resumed.
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

/** The `value` that follows is the body's result, as it is received. */
export const Succeeded = 0
/** … the encoded domain error; for a loop, an `ItemEnd` with it. */
export const Failed = 1
/** … the encoded value that the body threw; for a loop, an `ItemEnd` with it, if a body threw it. */
export const Panicked = 2
/** A checkpoint left the body, or the body was never entered, because a stop was requested. */
export const Stopped = 3
/** … a `NotCloneableValue`. */
export const NotCloneable = 4
/** … a `LoadFailure`. */
export const NotLoaded = 5
/** … a `JoinErrorReason` that a test has chosen for the task. Only simulated threads send it. */
export const Injected = 6
/** … the buffers of the body's result that are not in the ring. The rest of the result is there. */
export const SucceededInParts = 7
/** … a text: why the call cannot be made. Only in an `Answer`. */
export const Refused = 8

/** … a `YieldedValue`: the body was left at a `yield`, and continues when it is resumed. */
export const Yielded = 9
/** … an `EndedValue`: the elements that the body yielded since it was resumed, and how it ended. */
export const Ended = 10

/** The number of the body that was left and the elements that it yielded. With `uncloneable`, the next element cannot cross, and the body has to end there. */
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
  /** In a loop, the index of the item. */
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

/** The data with which a thread is started. */
export interface ThreadStart {
  /** The version of the scheduler. */
  readonly version: Version
  /** The memory of the control block. */
  readonly control: SharedArrayBuffer
  /** The memory of the ring in which the thread leaves results; `undefined` if it posts them. */
  readonly results: SharedArrayBuffer | undefined
  readonly threadData: unknown
  readonly preload: ReadonlyArray<string>
  /** Whether the thread measures its heap each time that it becomes idle. */
  readonly measureHeap: boolean
}
