/**
 * The thread's side of a pool: takes tasks from a port, runs their bodies and sends back their outcomes.
 *
 * `start` is called once in a new thread, by the entry file of a platform package
 * (`@effect-blocking/platform-node` for Node). It owns the thread from then on. Programs never call it.
 *
 * Every pool thread loads this module and its imports, so it imports no module of `effect`.
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
 * The platform functions that a thread needs.
 *
 * @category models
 * @since 0.1.0
 */
export interface ThreadPlatform {
  /** The `start` that `ThreadHost.spawn` was given. */
  readonly start: unknown
  /** Sends a message to the scheduler; throws, and transfers nothing, if a value cannot be cloned. */
  readonly post: (message: unknown, transfer: Array<object> | undefined) => void
  /** Imports a module by its url. */
  readonly load: (url: string) => Promise<unknown>
  /** Monotonic milliseconds, on the clock of `ThreadHost.now`. */
  readonly now: () => number
  /** Bytes used on the thread's heap. */
  readonly heapUsed: () => number
  /** Ends the thread. */
  readonly exit: () => void
  /**
   * Ends the thread at once, with `error` as the cause of its exit, because the loop itself is broken.
   * Without it, the error is thrown.
   */
  readonly abort?: ((error: unknown) => void) | undefined
  /**
   * For a thread that shares no memory with its scheduler. All results are then posted, and `post` returns
   * once they are sent.
   */
  readonly remote?: RemoteTasks | undefined
  /** For values in shared memory, like `ThreadHost.payloads`. Without it, results are posted. */
  readonly payloads?: PayloadPlatform | undefined
  /**
   * Takes the next message from the scheduler synchronously, while a body waits for one. Returns `undefined`
   * if there is no message yet; the runner then waits in the control block. A platform that does not share
   * its memory waits here instead, and one that cannot wait throws. Without it, bodies cannot wait for the
   * program.
   */
  readonly receive?: (() => unknown) | undefined
  /** How many unhandled notifications a body may have before it waits. Defaults to 64. */
  readonly notificationCapacity?: number | undefined
  /**
   * How bodies are found and called. By default the registered bodies are called at once, and own the
   * JavaScript thread.
   */
  readonly bodies?: BodyStrategy | undefined
}

/**
 * The task operations of a thread that shares no memory with its scheduler.
 *
 * @category models
 * @since 0.1.0
 */
export interface RemoteTasks {
  /** Called before a task is claimed: revokes it in the control block if the scheduler has taken it back. */
  readonly onClaim: (sequence: number) => void
  /** Returns the arguments of a claimed task. Throws if they cannot be read. */
  readonly argumentsOf: (sequence: number) => Array<unknown>
  /** Called before a body runs and before its stop flag is read. */
  readonly onEnter: (sequence: number, startedAt: number) => void
}

/**
 * The state of a pool thread that its bodies can use.
 *
 * @category models
 * @since 0.1.0
 */
export interface BodyContext {
  /** The control block; `undefined` outside a pool thread. */
  control: Int32Array | undefined
  /**
   * Called before the stop flag is read: updates the control block if its memory is not shared. An error it
   * throws is thrown in the body.
   */
  refresh: (() => void) | undefined
  /** Through which bodies call the program. Set by the runner. */
  caller?: BodyCaller | undefined
  threadData: unknown
  /** Values of `Task.threadLocal`, by their getter. */
  locals: Map<unknown, { readonly value: unknown }>
  /** Releases of `Task.threadLocal` values, oldest first. */
  releases: Array<() => void>
}

/**
 * Through which bodies call the program. For this package only.
 *
 * @category models
 * @since 0.1.0
 */
export interface BodyCaller extends Pick<Caller, "call" | "notify" | "prepare"> {}

/**
 * How a thread finds, admits and calls the bodies of its tasks. For platforms with simulated threads, such as
 * a test layer with several in one JavaScript thread.
 *
 * @category models
 * @since 0.1.0
 */
export interface BodyStrategy {
  /** Whether a found body is reused for later runs; otherwise `find` is called for each run. */
  readonly reused: boolean
  /** Called once, before anything else. Returns the context in which this thread's bodies are called. */
  readonly begin: (control: Int32Array, threadData: unknown) => BodyContext
  /** Returns the body of a task, given the one that its module registered. */
  readonly find: (module: string, name: string, registered: Body) => Body
  /**
   * Called after a task has been entered and before its body is called. If it returns `undefined`, the body
   * is called at once. If it returns a promise, the body is called when that resolves. If the promise
   * resolves to a `JoinErrorReason`, the body is not called and the task ends with that reason.
   */
  readonly admit: (module: string, name: string) => Promise<unknown> | undefined
  /** Calls `run(args)` in the thread's context. `sequence` is the number of the run, or 0 outside of a run. */
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
 * Calls a function with the given context in place of the JavaScript thread's own. For the `call` of a
 * `BodyStrategy`.
 *
 * @category combinators
 * @since 0.1.0
 */
export const within: <A>(context: BodyContext, sequence: number, f: () => A) => A = context.within

/**
 * Calls a function in the JavaScript thread's own context, even inside `within`. For code that answers a body
 * and belongs to the program.
 *
 * @category combinators
 * @since 0.1.0
 */
export const without: <A>(f: () => A) => A = context.without

/**
 * The entry points through which the platform drives a running thread.
 *
 * @category models
 * @since 0.1.0
 */
export interface ThreadRunner {
  /** Handles a message from the scheduler. */
  readonly onMessage: (message: unknown) => void
  /** Handles an uncaught error: a throw in a timer, an unhandled rejection. */
  readonly onUncaught: (error: unknown) => void
  /** Ends the thread after an error of the runner or its replacement, like `ThreadPlatform.abort`. */
  readonly abort: (error: unknown) => void
}

/**
 * Marks a thread or process as one of a pool before it loads any module: the name of a field of `workerData`,
 * or the first argument of the process. It makes `Task.inPoolThread` return `true` from the first line that
 * runs there, including in preloaded modules.
 *
 * @category constants
 * @since 0.1.0
 */
export const poolThreadMark: string = context.poolThreadMark

/**
 * Marks the url of a module that is imported again after a failure: the platform appends it, with a number,
 * as the last part of the fragment. Tasks defined there belong to the url without the mark.
 *
 * @category constants
 * @since 0.1.0
 */
export const retryMark: string = context.retryMark

/**
 * Returns a url without its `retryMark`.
 *
 * @category getters
 * @since 0.1.0
 */
export const withoutRetry: (url: string) => string = context.withoutRetry

/**
 * Starts the thread's loop: loads the preload modules, reports ready, then handles messages. Throws if the
 * scheduler, or the code that defines tasks, has another version.
 *
 * @category constructors
 * @since 0.1.0
 */
export const start: (platform: ThreadPlatform) => ThreadRunner = loop.start
