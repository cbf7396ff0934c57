/**
 * The interface between the scheduler and a platform: threads, a clock and timers.
 *
 * `makePool` creates a pool from a `ThreadHost`. `@effect-blocking/platform-node` implements one with
 * `worker_threads`; tests drive the scheduler with a simulated one. A program that only runs tasks does not
 * need this module.
 *
 * @module
 * @stability unstable
 * @since 0.1.0
 */
import type * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import type * as Scope from "effect/Scope"
import type { Pool } from "./Blocking.ts"
import * as handle from "./internal/pool/handle.ts"
import * as pool from "./internal/pool/pool.ts"
import type { SchedulerOptions } from "./internal/scheduler/options.ts"
import * as loops from "./internal/task/loops.ts"
import { conflict } from "./internal/thread/context.ts"
import type { PayloadPlatform } from "./internal/wire/payload.ts"
import { packageConflict } from "./internal/wire/version.ts"
import type { JoinError } from "./JoinError.ts"
import type { JoinHandle } from "./JoinHandle.ts"

export {
  /**
   * The properties in which platforms differ: defaults, and the options that a thread can be given.
   *
   * @category models
   * @since 0.1.0
   */
  type OptionsPlatform,
  /**
   * Validates the options of a layer and fills in their defaults. All platforms accept and refuse the same
   * options, those of `NodeBlocking.Options`.
   *
   * @category constructors
   * @since 0.1.0
   */
  resolve as resolveOptions,
  /**
   * Validated options of a pool, with their defaults. Options for the threads themselves are unchanged.
   *
   * @category models
   * @since 0.1.0
   */
  type ResolvedOptions
} from "./internal/pool/options.ts"

export {
  /**
   * The first invalid option, with its name and the problem.
   *
   * @category models
   * @since 0.1.0
   */
  type OptionsProblem
} from "./internal/task/options.ts"

export {
  /**
   * Thrown by `ThreadHost.spawn`, or given as the cause of a thread's exit, when another attempt would fail
   * in the same way. The tasks that wait for a thread then fail at once with `SpawnFailed`.
   *
   * @category errors
   * @since 0.1.0
   */
  CannotStart
} from "./internal/scheduler/cannotStart.ts"

export {
  /**
   * The functions that a platform adds to pass values through memory shared with its threads.
   *
   * @category models
   * @since 0.1.0
   */
  type PayloadPlatform,
  /**
   * Reads and writes strings in memory, faster than a loop.
   *
   * @category models
   * @since 0.1.0
   */
  type TextMemory
} from "./internal/wire/payload.ts"

/**
 * A platform's threads, clock and timers.
 *
 * @category models
 * @since 0.1.0
 */
export interface ThreadHost {
  /** Monotonic milliseconds, on the same clock as `ThreadPlatform.now` in the threads. */
  readonly now: () => number
  /**
   * Calls back once after `delayMillis`. The returned function cancels it. A timer alone does not keep the
   * process alive.
   */
  readonly schedule: (delayMillis: number, callback: () => void) => () => void
  /** Calls back once in the next iteration of the event loop, after other pending callbacks. */
  readonly nextTurn: (callback: () => void) => void
  /**
   * Starts a thread whose entry calls `ThreadRunner.start` with `start`. May throw. Unless it throws, exactly
   * one `onExit` follows.
   */
  readonly spawn: (options: ThreadOptions, events: ThreadEvents) => Thread
  /**
   * Called when the pool gets or loses work. While `active`, the pool keeps the process alive; otherwise it
   * does not.
   */
  readonly keepAlive: (active: boolean) => void
  /** Called when the pool has closed and will not use the host again, so that the host can release its resources. */
  readonly close?: () => void
  /**
   * Calls a function outside of any request's asynchronous context (`AsyncLocalStorage`) and returns its
   * result. For threads and log lines of a pool, which belong to no request.
   */
  readonly detached?: <A>(f: () => A) => A
  /**
   * Registers a callback for a forced shutdown of the program. The pool then shuts down at once, without
   * `shutdownTimeout`. The returned function unregisters the callback.
   */
  readonly onForceShutdown?: (callback: () => void) => () => void
  /** Extra text for the log line about an abandoned thread: what it means for the process. */
  readonly aboutAbandoned?: () => string | undefined
  /**
   * Copies arguments so that they can be sent later; throws for a value that cannot cross. For threads that
   * share no memory (`RemoteThread`). Without it, arguments are copied by a structured clone. Strings,
   * numbers and other immutable values are not packed.
   */
  readonly pack?: (values: ReadonlyArray<unknown>) => Uint8Array
  /**
   * For threads that share memory: passes plain values, bytes and collections through it instead of in
   * messages. The threads need the same from their platform. Without it, values are posted. `RemoteThread`
   * needs it.
   */
  readonly payloads?: PayloadPlatform | undefined
  /**
   * Whether bodies get their whole input before they start, for threads that cannot wait for more in the
   * middle of a body.
   */
  readonly wholeInput?: boolean | undefined
  /**
   * The maximum number of tasks sent to a thread at once, from 1. Defaults to the capacity of the control
   * block.
   */
  readonly maxTasksPerThread?: number | undefined
}

/**
 * The options with which a thread is started.
 *
 * @category models
 * @since 0.1.0
 */
export interface ThreadOptions {
  /** The number of the thread within its pool, from 1; for the thread's name. */
  readonly ordinal: number
  /** Passed to `ThreadPlatform.start` by a structured clone. */
  readonly start: unknown
  /**
   * Whether the thread may be in code that cannot be ended from outside: a task, a module, the release of a
   * value. `false` only if it is idle.
   */
  readonly mayBlock: () => boolean
}

/**
 * The events of a thread that the host reports. Never called before `spawn` has returned.
 *
 * @category models
 * @since 0.1.0
 */
export interface ThreadEvents {
  readonly onMessage: (message: unknown) => void
  /** The thread sent a message that cannot be deserialized on this side. */
  readonly onMessageError: (error: unknown) => void
  /** The thread has ended; no message follows. */
  readonly onExit: (exit: ThreadExit) => void
}

/**
 * How a thread ended.
 *
 * @category models
 * @since 0.1.0
 */
export interface ThreadExit {
  readonly exitCode: number | undefined
  readonly signal: string | undefined
  /** The thread exceeded its resource limits. */
  readonly outOfMemory: boolean
  /** The error that ended the thread, if any. */
  readonly cause: unknown
}

/**
 * A started thread.
 *
 * @category models
 * @since 0.1.0
 */
export interface Thread {
  /** The platform's number for the thread, as in logs and `Blocking.stats`. For a process, its pid. */
  readonly threadId: number
  /** Sends a message; throws, and transfers nothing, if a value cannot be cloned. */
  readonly post: (message: unknown, transfer: Array<object> | undefined) => void
  /** Terminates the thread wherever it is, if possible. Returns at once and never throws. */
  readonly terminate: () => void
  /** The replacement for the control block, if the thread does not share its memory. */
  readonly link?: ThreadLink | undefined
}

/**
 * The operations that replace direct access to the control block, for a thread that does not share its
 * memory. They never throw.
 *
 * @category models
 * @since 0.1.0
 */
export interface ThreadLink {
  /** Updates the block with the tasks that the thread has claimed and entered. */
  readonly refresh: () => void
  /** Raises the stop flag of a task, then refreshes the block. */
  readonly requestStop: (sequence: number) => void
  /** Takes a task back. Returns `true` if the thread has not claimed it and never will. */
  readonly revoke: (sequence: number) => boolean
}

/**
 * The options from which a platform package makes a pool. Times are in milliseconds, already validated.
 *
 * @category models
 * @since 0.1.0
 */
export interface PoolOptions extends SchedulerOptions {}

/**
 * Creates a pool on a platform's threads. It shuts down with the scope, within
 * `shutdownMillis + graceMillis + terminateMillis`.
 *
 * **When to use**
 *
 * Use to write a platform package. Programs use the layer of that package.
 *
 * @category constructors
 * @since 0.1.0
 */
export const makePool: (
  key: string,
  host: ThreadHost,
  options: PoolOptions
) => Effect.Effect<Pool, never, Scope.Scope> = pool.make

/**
 * Waits for a spawned task and returns its exit, like `JoinHandle.await`, but does not count as reading it: a
 * panic that nothing else reads is still logged.
 *
 * **When to use**
 *
 * Use to record the outcomes of tasks.
 *
 * @category getters
 * @since 0.1.0
 */
export const exitOf: <A, E>(handle: JoinHandle<A, E>) => Effect.Effect<Exit.Exit<A, E | JoinError>> = handle.exitOf

/**
 * The body calls that one run consists of.
 *
 * @category models
 * @since 0.1.0
 */
export interface BodyCalls {
  /** The arguments of each call. */
  readonly args: ReadonlyArray<ReadonlyArray<unknown>>
  /**
   * The exit of each call, given the exit of the run. `undefined` where it is not known; calls that were not
   * begun are left out at the end.
   */
  readonly exitsOf: (exit: Exit.Exit<unknown, unknown>) => ReadonlyArray<Exit.Exit<unknown, unknown> | undefined>
}

/**
 * Returns the calls that a `Parallel` run consists of, one for each item; `undefined` for any other run,
 * which is one call.
 *
 * **When to use**
 *
 * Use to record calls as the author of the task wrote them, one per item.
 *
 * @category getters
 * @since 0.1.0
 */
export const bodyCalls: (task: object, args: ReadonlyArray<unknown>) => BodyCalls | undefined = loops.callsOf

/**
 * Returns why no pool can be made here, or `undefined` if one can. It refuses if the platform package (given
 * by name, version and place) has another version than this package, or if tasks were defined by a copy of
 * this package with another version. All packages are published together, under one version.
 *
 * **Example** (In a platform package)
 *
 * ```ts
 * import * as ThreadHost from "effect-blocking/ThreadHost"
 *
 * const refusal = ThreadHost.versionConflict("my-platform", "0.1.0", import.meta.url)
 * if (refusal !== undefined) console.error(refusal)
 * ```
 *
 * @category getters
 * @since 0.1.0
 */
export const versionConflict = (packageName: string, version: string, place: string): string | undefined =>
  packageConflict(packageName, version, place) ?? conflict
