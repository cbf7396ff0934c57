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
import * as context from "./internal/thread/context.ts"
import * as loop from "./internal/thread/loop.ts"

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
  /** Told that a body is about to run, before its stop flag is looked at. */
  readonly onEnter?: ((sequence: number, startedAt: number) => void) | undefined
  /** Given if the thread is simulated: a test's own thread, which can stand for several. */
  readonly simulation?: ThreadSimulation | undefined
}

/**
 * What a test decides about the bodies of a simulated thread.
 *
 * @category models
 * @since 0.1.0
 */
export interface ThreadSimulation {
  /** The body that runs in the place of the task's own, if there is one. */
  readonly stub: (module: string, name: string) => ((...args: ReadonlyArray<never>) => unknown) | undefined
  /**
   * Told that a body has been entered. It runs at once, or when the promise resolves; it
   * never does if that resolves to a `JoinErrorReason`, with which the task then ends.
   */
  readonly onBody: (module: string, name: string) => Promise<unknown> | undefined
  /** Told that the body is about to look at its stop flag. What it throws, the body has thrown. */
  readonly onCheck: () => void
}

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
