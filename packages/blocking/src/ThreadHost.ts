/**
 * What a platform gives the scheduler: threads, a clock and timers.
 *
 * `makePool` turns a `ThreadHost` into a pool. `@effect-blocking/platform-node`
 * has one over `worker_threads`; a simulated one drives the scheduler in tests. A
 * program that only runs tasks does not need this module.
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
   * In what platforms differ: defaults, and what can be given to a thread.
   *
   * @category models
   * @since 0.1.0
   */
  type OptionsPlatform,
  /**
   * Validates the options of a layer and fills in their defaults. All platforms take the
   * same options, and refuse the same: those of `NodeBlocking.Options`.
   *
   * @category constructors
   * @since 0.1.0
   */
  resolve as resolveOptions,
  /**
   * Options of a pool that were validated, with their defaults; those for the threads
   * themselves as they were given.
   *
   * @category models
   * @since 0.1.0
   */
  type ResolvedOptions
} from "./internal/pool/options.ts"

export {
  /**
   * What is wrong with options: the first thing that is, with its name.
   *
   * @category models
   * @since 0.1.0
   */
  type OptionsProblem
} from "./internal/task/options.ts"

export {
  /**
   * Thrown by `ThreadHost.spawn`, or the cause of a thread's exit, when a further attempt could
   * only fail the same way: the tasks that wait for a thread fail at once, with `SpawnFailed`.
   *
   * @category errors
   * @since 0.1.0
   */
  CannotStart
} from "./internal/scheduler/cannotStart.ts"

export {
  /**
   * What a platform adds so that values can lie in memory that it shares with its threads.
   *
   * @category models
   * @since 0.1.0
   */
  type PayloadPlatform,
  /**
   * Reads and writes strings in memory, faster than a loop can.
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
  /** Calls back once after that many milliseconds; the answer cancels it. Timers alone do not keep the process alive. */
  readonly schedule: (delayMillis: number, callback: () => void) => () => void
  /** Calls back once in the next turn of the event loop, when others have had theirs. */
  readonly nextTurn: (callback: () => void) => void
  /**
   * Starts a thread whose entry calls `ThreadRunner.start` with `start`. May throw.
   * Exactly one `onExit` follows, unless it threw.
   */
  readonly spawn: (options: ThreadOptions, events: ThreadEvents) => Thread
  /** Whether the pool has work: while it has, the process must stay alive, and otherwise not for its sake. */
  readonly keepAlive: (active: boolean) => void
  /** The pool has closed, and calls nothing of the host any more: it leaves nothing behind. */
  readonly close?: () => void
  /**
   * Calls a function outside of any request's asynchronous context (`AsyncLocalStorage`), and
   * returns its result: for threads and log lines of a pool, which belong to no request.
   */
  readonly detached?: <A>(f: () => A) => A
  /**
   * Calls back when the program is to end sooner than it would: the pool then shuts down
   * at once, without `shutdownTimeout`. The answer forgets the callback.
   */
  readonly onForceShutdown?: (callback: () => void) => () => void
  /** Extra text for the log line about an abandoned thread: what it means for the process. */
  readonly aboutAbandoned?: () => string | undefined
  /**
   * Makes a copy of arguments that can be sent at any time; throws for what cannot cross. For
   * threads that share no memory (`RemoteThread`); otherwise they are copied by a structured
   * clone. Strings, numbers and other values that nobody can change are not packed.
   */
  readonly pack?: (values: ReadonlyArray<unknown>) => Uint8Array
  /**
   * For threads that share memory: lets plain values, bytes and collections lie there instead of
   * in messages. Its threads need the same of their platform. Without it they are posted. `RemoteThread` needs it.
   */
  readonly payloads?: PayloadPlatform | undefined
  /**
   * Whether bodies are given their input whole, before they begin: for threads that cannot wait
   * for more of it in the middle of a body.
   */
  readonly wholeInput?: boolean | undefined
  /**
   * The most tasks that a thread is sent at once, from 1; as many as the control block
   * holds if it is not given.
   */
  readonly maxTasksPerThread?: number | undefined
}

/**
 * What a thread is started with.
 *
 * @category models
 * @since 0.1.0
 */
export interface ThreadOptions {
  /** Counts the threads of a pool, from 1; for the thread's name. */
  readonly ordinal: number
  /** Passed to `ThreadPlatform.start` by a structured clone. */
  readonly start: unknown
  /**
   * Whether the thread may be in code that nobody can end: a task, a module, the release
   * of a value. `false` only if it is idle.
   */
  readonly mayBlock: () => boolean
}

/**
 * What the host reports of a thread. Never called before `spawn` has returned.
 *
 * @category models
 * @since 0.1.0
 */
export interface ThreadEvents {
  readonly onMessage: (message: unknown) => void
  /** The thread sent a message that cannot be read on this side. */
  readonly onMessageError: (error: unknown) => void
  /** The thread has ended and no message follows. */
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
  /** It outgrew its resource limits. */
  readonly outOfMemory: boolean
  /** What ended it, if an error did. */
  readonly cause: unknown
}

/**
 * A thread that was started.
 *
 * @category models
 * @since 0.1.0
 */
export interface Thread {
  /** The platform's number for it, as in logs and `Blocking.stats`: of a process its pid. */
  readonly threadId: number
  /** Sends a message; throws, and transfers nothing, if a value cannot be cloned. */
  readonly post: (message: unknown, transfer: Array<object> | undefined) => void
  /** Ends it wherever it is, if that is possible; returns at once. Never throws. */
  readonly terminate: () => void
  /** What stands in for the control block, if the thread does not share its memory. */
  readonly link?: ThreadLink | undefined
}

/**
 * What the scheduler asks of a thread that does not share the control block's memory,
 * where it would otherwise look into the block. Never throws.
 *
 * @category models
 * @since 0.1.0
 */
export interface ThreadLink {
  /** Brings the block up to date with what the thread has claimed and entered. */
  readonly refresh: () => void
  /** Raises the stop flag of a task, and then does what `refresh` does. */
  readonly requestStop: (sequence: number) => void
  /** `true`: the thread has not claimed the task and never will. */
  readonly revoke: (sequence: number) => boolean
}

/**
 * What a platform package makes a pool of; times in milliseconds, already validated.
 *
 * @category models
 * @since 0.1.0
 */
export interface PoolOptions extends SchedulerOptions {}

/**
 * Creates a pool over a platform's threads; it shuts down with the scope, within
 * `shutdownMillis + graceMillis + terminateMillis`.
 *
 * **When to use**
 *
 * Use to write a platform package. Programs use its layer.
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
 * Waits for the end of a spawned task and returns its exit, as `JoinHandle.await` does, but
 * without reading it: a panic that nobody else reads is still logged.
 *
 * **When to use**
 *
 * Use to record what became of tasks.
 *
 * @category getters
 * @since 0.1.0
 */
export const exitOf: <A, E>(handle: JoinHandle<A, E>) => Effect.Effect<Exit.Exit<A, E | JoinError>> = handle.exitOf

/**
 * The calls of a body that one run stands for.
 *
 * @category models
 * @since 0.1.0
 */
export interface BodyCalls {
  /** The arguments of each. */
  readonly args: ReadonlyArray<ReadonlyArray<unknown>>
  /** What became of each, given the exit of the run; `undefined` where that is not known, and shorter by those that were not begun. */
  readonly exitsOf: (exit: Exit.Exit<unknown, unknown>) => ReadonlyArray<Exit.Exit<unknown, unknown> | undefined>
}

/**
 * Returns the calls that a run of `Parallel` stands for, one for each item; `undefined` for any
 * other run, which is one call.
 *
 * **When to use**
 *
 * Use to record calls of tasks as their authors know them.
 *
 * @category getters
 * @since 0.1.0
 */
export const bodyCalls: (task: object, args: ReadonlyArray<unknown>) => BodyCalls | undefined = loops.callsOf

/**
 * Returns why no pool can be made here; `undefined` if one can: the package of the platform,
 * whose name, version and place it is given, is not of this version, or a copy of this package
 * that is not has defined tasks. The packages are published together, with one number.
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
