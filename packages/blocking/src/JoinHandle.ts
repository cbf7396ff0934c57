/**
 * The handle of a task that was spawned: waits for it, looks at it, stops it.
 *
 * A `JoinHandle` owns nothing. What `Blocking.spawn` returns is stopped by its scope,
 * what `Blocking.spawnDetached` returns lives as long as its pool, whether or not
 * anyone holds the handle.
 *
 * @module
 * @since 0.1.0
 */
import type * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import type { JoinError } from "./JoinError.ts"

/**
 * A task on its way to a result, made by `Blocking.spawn` and `Blocking.spawnDetached`.
 *
 * @category models
 * @since 0.1.0
 */
export interface JoinHandle<out A, out E = never> {
  /** Counts the tasks of the pool, from 1. */
  readonly id: number
  /** The task's name. */
  readonly task: string
  /**
   * Waits for the task and gives its result, to any number of fibers, any number of
   * times. Interrupting it stops the waiting only.
   */
  readonly join: Effect.Effect<A, E | JoinError>
  /** Waits for the task and gives its exit. */
  readonly await: Effect.Effect<Exit.Exit<A, E | JoinError>>
  /**
   * Stops the task as its `onInterrupt` says, and returns when it has ended or was
   * abandoned. A queued task never runs, a finished one stays as it is.
   */
  readonly abort: Effect.Effect<void>
  /** Asks for the same and does not wait. */
  readonly abortFork: Effect.Effect<void>
  /** Where the task is now. */
  readonly status: Effect.Effect<JoinStatus>
}

/**
 * Where a task is. `queuedMillis` counts from its submission to the start of its
 * body, `runningMillis` from there to its end, or to now.
 *
 * @category models
 * @since 0.1.0
 */
export type JoinStatus =
  | { readonly _tag: "Queued"; readonly queuedMillis: number }
  | {
    readonly _tag: "Running"
    readonly queuedMillis: number
    readonly runningMillis: number
    readonly threadId: number
  }
  | { readonly _tag: "Done"; readonly queuedMillis: number; readonly runningMillis: number }
