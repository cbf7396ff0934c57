/**
 * A set of spawned tasks, joined in the order in which they end.
 *
 * A `JoinSet` is scoped: when its scope closes, every task still in the set is aborted before the close
 * returns. All tasks of a set have the same result types.
 *
 * **Example** (Hashing files, in order of completion)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { JoinSet, Task } from "effect-blocking"
 * import { createHash } from "node:crypto"
 * import { readFileSync } from "node:fs"
 *
 * const digest = Task.make(import.meta.url, "digest", (path: string) =>
 *   createHash("sha256").update(readFileSync(path)).digest("hex"))
 *
 * export const digests = Effect.fn("digests")(function*(paths: ReadonlyArray<string>) {
 *   const set = yield* JoinSet.make<string>()
 *   for (const path of paths) yield* JoinSet.spawn(set, digest, path)
 *   return yield* JoinSet.joinAll(set)
 * }, Effect.scoped)
 * ```
 *
 * @module
 * @since 0.1.0
 */
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import { Blocking, type Pool } from "./Blocking.ts"
import { adopt, exitOf } from "./internal/pool/handle.ts"
import type { JoinError } from "./JoinError.ts"
import type { JoinHandle } from "./JoinHandle.ts"
import type { Task } from "./Task.ts"

const TypeId = "~effect-blocking/JoinSet"

/**
 * A set of spawned tasks.
 *
 * @category models
 * @since 0.1.0
 */
export interface JoinSet<in out A, in out E = never> {
  readonly [TypeId]: {
    readonly pool: Pool
    readonly scope: Scope.Scope
    /** Tasks that have not ended. */
    readonly handles: Set<JoinHandle<A, E>>
    /** Exits of ended tasks that were not joined, in order of completion. */
    readonly ended: Array<Exit.Exit<A, E | JoinError>>
    /** Fibers in `joinNext`. */
    readonly waiters: Set<(exit: Exit.Exit<A, E | JoinError>) => void>
  }
}

/**
 * Returns whether a value is a `JoinSet`.
 *
 * @category guards
 * @since 0.1.0
 */
export const isJoinSet = (u: unknown): u is JoinSet<unknown, unknown> =>
  typeof u === "object" && u !== null && TypeId in u

const fromPool = <A, E>(pool: Pool): Effect.Effect<JoinSet<A, E>, never, Scope.Scope> =>
  Effect.map(Effect.scope, (scope) => ({
    [TypeId]: { pool, scope, handles: new Set(), ended: [], waiters: new Set() }
  }))

/**
 * Creates an empty set for tasks on the default pool, bound to the current scope.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = <A, E = never>(): Effect.Effect<JoinSet<A, E>, never, Blocking | Scope.Scope> =>
  Effect.flatMap(Blocking, fromPool<A, E>)

/**
 * Creates an empty set for tasks on a named pool, bound to the current scope:
 * `JoinSet.makeIn<number>()(Cpu)`.
 *
 * @category constructors
 * @since 0.1.0
 */
export const makeIn =
  <A, E = never>() => <Self>(pool: Context.Key<Self, Pool>): Effect.Effect<JoinSet<A, E>, never, Self | Scope.Scope> =>
    Effect.flatMap(pool, fromPool<A, E>)

/**
 * Spawns a task in the set.
 *
 * **Details**
 *
 * Waits only if the queue of the pool is full. An interruption while waiting withdraws the task; if the pool
 * has just accepted it, the close of the scope aborts it instead. Fails with `JoinError` if the pool refuses
 * the task (`ShutDown`, `QueueFull`, `NotCloneable`, `QueueTimedOut`); the set is then unchanged. The close
 * of the set's scope aborts the task.
 *
 * @category combinators
 * @since 0.1.0
 */
export const spawn = <A, E, Args extends ReadonlyArray<unknown>, A2 extends A, E2 extends E, R>(
  self: JoinSet<A, E>,
  task: Task<Args, A2, E2, R>,
  ...args: { [K in keyof Args]: Args[K] }
): Effect.Effect<JoinHandle<A2, E2>, JoinError, R> =>
  Effect.uninterruptibleMask((restore) => {
    const state = self[TypeId]
    return Effect.flatMap(
      restore(Effect.provideService(state.pool.spawn(task, ...args), Scope.Scope, state.scope)),
      (handle) => {
        state.handles.add(handle)
        const reportUnread = adopt(handle)
        return Effect.as(
          Effect.forkDetach(Effect.flatMap(exitOf(handle), (exit) => {
            state.handles.delete(handle)
            const [waiter] = state.waiters
            if (waiter !== undefined) {
              state.waiters.delete(waiter)
              waiter(exit)
              return Effect.void
            }
            state.ended.push(exit)
            // A fiber that joins in a loop takes it now.
            return Effect.map(Effect.andThen(Effect.yieldNow, Effect.yieldNow), () => {
              if (state.ended.includes(exit)) reportUnread(exit)
            })
          })),
          handle
        )
      }
    )
  })

/**
 * Waits for the next task to end, removes it from the set and returns its result, or `None` if the set is
 * empty. Fails with that task's own error or with a `JoinError`.
 *
 * **Details**
 *
 * An interruption only stops the wait: the result stays for the next caller.
 *
 * @category combinators
 * @since 0.1.0
 */
export const joinNext = <A, E>(self: JoinSet<A, E>): Effect.Effect<Option.Option<A>, E | JoinError> =>
  Effect.callback((resume) => {
    const { ended, handles, waiters } = self[TypeId]
    const exit = ended.shift()
    if (exit !== undefined) return resume(Effect.asSome(exit))
    // The waiters already there will take the results of all running tasks.
    if (handles.size <= waiters.size) return resume(Effect.succeedNone)
    const waiter = (exit: Exit.Exit<A, E | JoinError>): void => resume(Effect.asSome(exit))
    waiters.add(waiter)
    return Effect.sync(() => waiters.delete(waiter))
  })

/**
 * Waits for all tasks of the set and returns their results in order of completion. Fails with the first
 * error; the other tasks then stay in the set.
 *
 * @category combinators
 * @since 0.1.0
 */
export const joinAll = <A, E>(self: JoinSet<A, E>): Effect.Effect<Array<A>, E | JoinError> =>
  Effect.gen(function*() {
    const results: Array<A> = []
    while (true) {
      const next = yield* joinNext(self)
      if (Option.isNone(next)) return results
      results.push(next.value)
    }
  })

/**
 * Aborts all tasks of the set together, and returns when each has ended or was abandoned. Their results
 * (`JoinError` with reason `Cancelled`) can still be joined.
 *
 * @category combinators
 * @since 0.1.0
 */
export const abortAll = <A, E>(self: JoinSet<A, E>): Effect.Effect<void> =>
  Effect.suspend(() =>
    Effect.forEach(Array.from(self[TypeId].handles), (handle) => handle.abort, {
      concurrency: "unbounded",
      discard: true
    })
  )

/**
 * Returns the number of tasks in the set that have not been joined.
 *
 * @category getters
 * @since 0.1.0
 */
export const size = <A, E>(self: JoinSet<A, E>): Effect.Effect<number> =>
  Effect.sync(() => self[TypeId].handles.size + self[TypeId].ended.length)
