/**
 * Bodies that run beside the database: plain synchronous code with a connection of
 * `node:sqlite`, in one transaction and one trip to its thread.
 *
 * Pool threads load the module that defines one. It must not start the program.
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
 * A body that runs beside a connection, made by `make` and run by `sql.transact`.
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
  /** The url of the module that defines it. */
  readonly module: string
  /** Its name in that module. */
  readonly name: string
}

/** What a body that returns a promise does not fit: its transaction would be over before it. */
type Synchronous<A> = [A] extends [never] ? unknown
  : A extends PromiseLike<unknown> ? "The body of a transaction is synchronous: it cannot be async"
  : unknown

const asynchronous = "The body of a transaction has returned a promise, behind which its transaction would be over"

/** Ends the transaction of a body that has returned a failure. */
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
 * The transaction is committed when the body returns, and rolled back when it returns a
 * failed `Result`, throws, or is given up before its COMMIT has begun. Arguments and result
 * cross threads as those of `Task.make`. `options` are those of a task.
 *
 * **Gotchas**
 *
 * Neither close the connection nor begin or end a transaction in the body; savepoints are fine.
 * Read each iterator to its end. With `autoInvalidate`, prepare statements in the body.
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
    // Whoever gives it up has decided that with its cell, and need not wait.
    task: Task.make(moduleUrl, name, inTransaction as never, { onInterrupt: "abandon", ...options }) as never,
    taskInProcess: Task.make(moduleUrl, `${name} in a process`, inTransaction as never, {
      ...options,
      callbacks: [MayCommit]
    }) as never
  }
  return definition as object as SqliteTask<Args, A, E>
}

/**
 * The connection of `node:sqlite` of the current thread, for the functions that a body calls.
 * Throws outside of a thread of a client.
 *
 * @category getters
 * @since 0.1.0
 */
export const database = (): DatabaseSync => connection().database
