/**
 * The thread's side of a pool: takes tasks from a port, runs their bodies, and
 * sends back what became of them.
 *
 * `start` is called once in a new thread, by the entry file of a platform package
 * (`@effect-blocking/platform-node` for Node). It owns the thread from then on. A
 * program never calls it.
 *
 * This module and all it imports are loaded by every pool thread, so it imports
 * no module of `effect`.
 *
 * @module
 * @stability unstable
 * @since 0.1.0
 */
import type { Caller } from "./internal/thread/calls.ts"
import * as context from "./internal/thread/context.ts"
import * as loop from "./internal/thread/loop.ts"
import type { PayloadPlatform } from "./internal/wire/payload.ts"

/**
 * What a thread needs of its platform.
 *
 * @category models
 * @since 0.1.0
 */
export interface ThreadPlatform {
  /** What `ThreadHost.spawn` was given. */
  readonly start: unknown
  /** Sends to the scheduler; throws, and transfers nothing, if a value cannot be cloned. */
  readonly post: (message: unknown, transfer: Array<object> | undefined) => void
  /** Imports a module by its url. */
  readonly load: (url: string) => Promise<unknown>
  /** Monotonic milliseconds, on the clock of `ThreadHost.now`. */
  readonly now: () => number
  /** Bytes that the thread's heap holds. */
  readonly heapUsed: () => number
  /** Ends the thread. */
  readonly exit: () => void
  /** Ends the thread at once, with `error` as the cause of its exit: the loop itself is broken. Without it the error is thrown. */
  readonly abort?: ((error: unknown) => void) | undefined
  /** For a thread that shares no memory with its scheduler. All results are then posted, and `post` returns when they are on their way. */
  readonly remote?: RemoteTasks | undefined
  /** For values in shared memory, as `ThreadHost.payloads`; without it results are posted. */
  readonly payloads?: PayloadPlatform | undefined
  /**
   * Takes the next message from the scheduler while a body waits for one, in the middle of what
   * the event loop is in. `undefined`: there is none yet, and the runner waits in the control
   * block; a platform that does not share its memory waits here, and one that cannot wait for an
   * answer throws. Without it bodies cannot wait for the program.
   */
  readonly receive?: (() => unknown) | undefined
  /** How many notifications of a body may be on their way, before it waits. 64 if it is not given. */
  readonly notificationCapacity?: number | undefined
  /** How bodies are found and called. By default as they are registered, at once, with the JavaScript thread for themselves. */
  readonly bodies?: BodyStrategy | undefined
}

/**
 * What a thread does about its tasks if it shares no memory with its scheduler.
 *
 * @category models
 * @since 0.1.0
 */
export interface RemoteTasks {
  /** Told that a task is about to be claimed: revokes it in the control block if the scheduler has taken it back. */
  readonly onClaim: (sequence: number) => void
  /** The arguments of a task that was claimed. Throws if they cannot be read. */
  readonly argumentsOf: (sequence: number) => Array<unknown>
  /** Told that a body is about to run, before its stop flag is looked at. */
  readonly onEnter: (sequence: number, startedAt: number) => void
}

/**
 * What a pool thread is to the bodies that run on it.
 *
 * @category models
 * @since 0.1.0
 */
export interface BodyContext {
  /** The control block in a pool thread, `undefined` elsewhere. */
  control: Int32Array | undefined
  /**
   * Called before the stop flag is looked at: brings the control block up to date, where
   * its memory is not shared. The body throws what it throws.
   */
  refresh: (() => void) | undefined
  /** By which bodies call the program: set by the runner. */
  caller?: BodyCaller | undefined
  threadData: unknown
  /** Values of `Task.threadLocal`, by what gives them. */
  locals: Map<unknown, { readonly value: unknown }>
  /** Releases of `Task.threadLocal` values, oldest first. */
  releases: Array<() => void>
}

/**
 * By which bodies call the program, for this package only.
 *
 * @category models
 * @since 0.1.0
 */
export interface BodyCaller extends Pick<Caller, "call" | "notify" | "prepare"> {}

/**
 * How a thread finds the bodies of its tasks, admits them and calls them. For platforms
 * whose threads are not threads: a test layer has several in one JavaScript thread.
 *
 * @category models
 * @since 0.1.0
 */
export interface BodyStrategy {
  /** Whether a body that was found serves later runs too; otherwise each run finds its own. */
  readonly reused: boolean
  /** Called once, before anything else. Returns the context in which this thread's bodies are called. */
  readonly begin: (control: Int32Array, threadData: unknown) => BodyContext
  /** Returns the body of a task, given the one that its module registered. */
  readonly find: (module: string, name: string, registered: Body) => Body
  /**
   * Called when a task has been entered and before its body is called. `undefined`: the body
   * is called at once. A promise: it is called when that resolves, or never if that
   * resolves to a `JoinErrorReason`, with which the task then ends.
   */
  readonly admit: (module: string, name: string) => Promise<unknown> | undefined
  /** Calls `run(args)` in the thread's context; `sequence` is the number of the run, 0 if it is none. */
  readonly call: (sequence: number, run: (args: Array<unknown>) => unknown, args: Array<unknown>) => unknown
}

/**
 * A body as its module registered it.
 *
 * @category models
 * @since 0.1.0
 */
export type Body = (...args: ReadonlyArray<never>) => unknown

/**
 * Calls a function with the given context in the place of the JavaScript thread's own; for
 * the `call` of a `BodyStrategy`.
 *
 * @category combinators
 * @since 0.1.0
 */
export const within: <A>(context: BodyContext, sequence: number, f: () => A) => A = context.within

/**
 * Calls a function in the context of the JavaScript thread, although a body is called `within`
 * another: what answers the body is of the program.
 *
 * @category combinators
 * @since 0.1.0
 */
export const without: <A>(f: () => A) => A = context.without

/**
 * What the platform passes on to a running thread.
 *
 * @category models
 * @since 0.1.0
 */
export interface ThreadRunner {
  /** Takes a message that the scheduler sent. */
  readonly onMessage: (message: unknown) => void
  /** Takes what nobody caught: a late throw of a timer, an unhandled rejection. */
  readonly onUncaught: (error: unknown) => void
  /** Ends the thread after an error of the runner, or of what stands in for it, as `ThreadPlatform.abort` does. */
  readonly abort: (error: unknown) => void
}

/**
 * Marks a thread or process as one of a pool, before anything is loaded in it: the name of a
 * field of `workerData`, or the first argument of the process. With it `Task.inPoolThread`
 * answers `true` from the first line that runs there, in preloaded modules too.
 *
 * @category constants
 * @since 0.1.0
 */
export const poolThreadMark: string = context.poolThreadMark

/**
 * What a platform adds to the url of a module that it imports again after a failure, with a
 * number, as the last part of its fragment. Tasks that are defined there are those of the url
 * without it.
 *
 * @category constants
 * @since 0.1.0
 */
export const retryMark: string = context.retryMark

/**
 * Returns the url without its `retryMark`.
 *
 * @category getters
 * @since 0.1.0
 */
export const withoutRetry: (url: string) => string = context.withoutRetry

/**
 * Starts the thread's loop: loads the preload modules, reports ready, and then
 * serves messages. Throws if the scheduler, or the code that defines tasks, is of another version.
 *
 * @category constructors
 * @since 0.1.0
 */
export const start: (platform: ThreadPlatform) => ThreadRunner = loop.start
