/**
 * The handle of a spawned task: waits for it, inspects it, stops it.
 *
 * A `JoinHandle` owns nothing. A task of `Blocking.spawn` is stopped by its scope and a task of
 * `Blocking.spawnDetached` lives as long as its pool, whether or not the handle is still referenced.
 *
 * @module
 * @since 0.1.0
 */
import type * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import type { JoinError } from "./JoinError.ts"

/**
 * A spawned task, as returned by `Blocking.spawn` and `Blocking.spawnDetached`.
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
   * Waits for the task and returns its result. Any number of fibers can join, any number of times. Fails with
   * the task's own error or with a `JoinError`. An interruption only stops the wait.
   */
  readonly join: Effect.Effect<A, E | JoinError>
  /** Waits for the task and returns its exit. An interruption only stops the wait. */
  readonly await: Effect.Effect<Exit.Exit<A, E | JoinError>>
  /**
   * Stops the task according to its `onInterrupt`, and returns when it has ended or was abandoned. A queued
   * task never runs. A finished task is not affected.
   */
  readonly abort: Effect.Effect<void>
  /** Like `abort`, but does not wait. */
  readonly abortFork: Effect.Effect<void>
  /** The state of the task now. */
  readonly status: Effect.Effect<JoinStatus>
}

/**
 * The state of a task. `queuedMillis` is the time from its submission to the start of its body;
 * `runningMillis` is the time from there to its end, or to now.
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
