/**
 * Transactions in plain synchronous code: a body gets a connection of `node:sqlite`, and runs in
 * one transaction and in one trip to the connection's thread.
 *
 * Pool threads load the module that defines the task. It must not start the program.
 *
 * @module
 * @since 0.1.0
 */
import * as Task from "effect-blocking/Task"
import type * as Result from "effect/Result"
import type { DatabaseSync } from "node:sqlite"
import { connection } from "./internal/thread/connection.ts"
import type { Definition } from "./internal/thread/definition.ts"
import { isFailure, isSuccess } from "./internal/thread/result.ts"
import { MayCommit, transact } from "./internal/thread/statements.ts"

const TypeId = "~effect-blocking/sqlite/SqliteTask"

// -----------------------------------------------------------------------------
// Models
// -----------------------------------------------------------------------------

/**
 * A body that runs on the thread of a connection. Made by `make`, run by `sql.transact`.
 *
 * @category models
 * @since 0.1.0
 */
export interface SqliteTask<in Args extends ReadonlyArray<unknown>, out A, out E = never> {
  readonly [TypeId]: {
    readonly _Args: (_: Args) => void
    readonly _A: () => A
    readonly _E: () => E
  }
  /** The url of the module that defines the task. */
  readonly module: string
  /** The name of the task in that module. */
  readonly name: string
}

/** Rejects a body that returns a promise: its transaction would end before the promise settles. */
type Synchronous<A> = [A] extends [never] ? unknown
  : A extends PromiseLike<unknown> ? "The body of a transaction is synchronous: it cannot be async"
  : unknown

const asynchronous =
  "The body of a transaction returned a promise, but must be synchronous: its transaction ends when " +
  "it returns"

/** Rolls back the transaction of a body that returned a failure. */
class DomainFailure {
  readonly failure: unknown
  constructor(failure: unknown) {
    this.failure = failure
  }
}

// -----------------------------------------------------------------------------
// Constructors
// -----------------------------------------------------------------------------

/**
 * Defines a body that runs in a transaction of its own, `BEGIN IMMEDIATE … COMMIT`, on the
 * thread of the connection.
 *
 * **Details**
 *
 * The transaction is committed when the body returns. It is rolled back when the body returns a
 * failed `Result`, when it throws, and when the call is interrupted before COMMIT begins.
 * Arguments and result cross threads like those of `Task.make`. `options` are those of a task.
 *
 * **Gotchas**
 *
 * The body must not close the connection, and must not begin or end a transaction; savepoints are
 * fine. Read each iterator to its end. With `autoInvalidate`, prepare statements in the body.
 *
 * **Example** (A transfer)
 *
 * ```ts
 * import { SqliteTask } from "@effect-blocking/sqlite"
 * import * as Result from "effect/Result"
 *
 * export const transfer = SqliteTask.make(
 *   import.meta.url,
 *   "transfer",
 *   (db, from: string, to: string, amount: number) => {
 *     const move = db.prepare("UPDATE account SET balance = balance + ? WHERE id = ? AND balance + ? >= 0")
 *     if (move.run(-amount, from, -amount).changes === 0) return Result.fail("not enough" as const)
 *     move.run(amount, to, amount)
 *     return Result.succeed(amount)
 *   }
 * )
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = <const Args extends ReadonlyArray<unknown>, A, E = never>(
  moduleUrl: string,
  name: string,
  body: ((database: DatabaseSync, ...args: Args) => A | Result.Result<A, E>) & Synchronous<A>,
  options?: Omit<Task.TaskOptions, "callbacks">
): SqliteTask<Args, A, E> => {
  const inTransaction = (ticket: number, ...args: Args): unknown => {
    try {
      return transact(ticket, ({ database }) => {
        const returned = body(database, ...args)
        if (isFailure(returned)) throw new DomainFailure(returned)
        const value: unknown = isSuccess(returned) ? returned.success : returned
        if (typeof value === "object" && value !== null && "then" in value) throw new TypeError(asynchronous)
        return { value }
      })
    } catch (error) {
      if (error instanceof DomainFailure) return error.failure
      throw error
    }
  }
  const definition: Definition = {
    module: moduleUrl,
    name,
    // An interruption has cancelled the write through its cell, and need not wait for the body.
    task: Task.make(moduleUrl, name, inTransaction as never, { onInterrupt: "abandon", ...options }) as never,
    taskInProcess: Task.make(moduleUrl, `${name} in a process`, inTransaction as never, {
      ...options,
      callbacks: [MayCommit]
    }) as never
  }
  return definition as object as SqliteTask<Args, A, E>
}

/**
 * Returns the `node:sqlite` connection of the current thread, for functions that a body calls.
 * Throws on a thread that is not a client's.
 *
 * @category getters
 * @since 0.1.0
 */
export const database = (): DatabaseSync => connection().database
