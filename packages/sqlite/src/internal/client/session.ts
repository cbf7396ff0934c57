/** A held connection: of a transaction, or of `sql.reserve`. */
import type * as Blocking from "effect-blocking/Blocking"
import { isJoinError, type JoinErrorReason } from "effect-blocking/JoinError"
import * as Task from "effect-blocking/Task"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import { isSqlError, type SqlError } from "effect/sql/SqlError"
import * as Stream from "effect/Stream"
import { type Failure, type Flags, Inside, Keep, Objects, type Reply } from "../thread/reply.ts"
import * as tasks from "../thread/statements.ts"
import type { Database } from "./database.ts"
import { type Problem, refused, sqlError } from "./errors.ts"

const interrupted =
  "A write of this transaction was interrupted and may have run: the transaction can only be rolled back. Interrupt " +
  "the whole transaction, or a nested withTransaction (a savepoint) around the write"

const lost = new Set<JoinErrorReason["_tag"]>(["Cancelled", "OutOfMemory", "ShutDown", "TimedOut", "WorkerExited"])

/** Why the outcome of a call is unknown: it was interrupted, it exceeded its limit, or its thread was lost. */
const whyUnknown = (cause: Cause.Cause<unknown>, sql: string | undefined): SqlError | undefined => {
  for (const reason of cause.reasons) {
    if (Cause.isInterruptReason(reason)) return refused(interrupted, sql)
    if (!Cause.isFailReason(reason)) continue
    if (isSqlError(reason.error)) return reason.error
    if (isJoinError(reason.error) && lost.has(reason.error.reason._tag)) return sqlError(reason.error, "execute", sql)
  }
  return undefined
}

export class Session {
  /** Whether a transaction is open. Unknown (`uncertain`) while an interrupted statement still runs. */
  private inTransaction = false
  private uncertain = false
  /** `Inside` when the transaction has begun. */
  private inside: Flags = 0
  /** Savepoint statements that must run before the next statement: no fiber waited for them. */
  private pending: Array<string> = []
  private cleaning: Fiber.Fiber<void, SqlError> | undefined
  /** The number of open savepoints. */
  private depth = 0
  /** Why the transaction can only be rolled back: to a savepoint of at most this depth, or as a whole. */
  private rollbackOnly: { readonly depth: number; readonly why: SqlError } | undefined

  readonly lease: Blocking.Lease
  private readonly database: Database
  /** Whether an interruption may end the thread. */
  private readonly mayEndThread: boolean
  private readonly onlyReads: boolean
  private readonly task

  constructor(database: Database, lease: Blocking.Lease, mayEndThread: boolean, onlyReads: boolean) {
    this.database = database
    this.lease = lease
    this.mayEndThread = mayEndThread
    this.onlyReads = onlyReads
    // The end of the thread rolls back, so no fiber waits for the statement.
    this.task = mayEndThread ? Task.with(tasks.held, { onInterrupt: "stop" }) : tasks.held
  }

  /** Whether the connection must be reset before anyone else uses it. */
  get isDirty(): boolean {
    return this.inTransaction || this.uncertain || this.onlyReads
  }

  execute(sql: string, params: ReadonlyArray<unknown>, flags: Flags): Effect.Effect<unknown, SqlError> {
    return Effect.suspend(() => {
      if (this.rollbackOnly !== undefined) return Effect.fail(this.rollbackOnly.why)
      return this.pending.length === 0 && this.cleaning === undefined
        ? this.run(sql, params, flags | this.inside)
        : Effect.andThen(this.cleanUp, this.run(sql, params, flags | this.inside))
    })
  }

  stream(sql: string, params: ReadonlyArray<unknown>, flags: Flags): Stream.Stream<unknown, SqlError> {
    const { database } = this
    if (this.inside === 0 || database.router.routeOf(sql) !== "read") {
      return Stream.unwrap(
        Effect.map(this.execute(sql, params, flags), (rows) => Stream.fromIterable(rows as ReadonlyArray<unknown>))
      )
    }
    return Stream.unwrap(
      Effect.map(this.cleanUp, () => database.streamOn(this.lease, sql, params, flags | Inside, !this.mayEndThread))
    )
  }

  /** Updates the state of the session by the outcome of a call. */
  private track<A extends readonly [unknown, boolean, ...ReadonlyArray<unknown>], E, R, B, E2>(
    call: Effect.Effect<A, E, R>,
    complete: (reply: A) => Effect.Effect<B, E2>,
    writes: boolean,
    sql: string | undefined
  ): Effect.Effect<B, E | E2, R> {
    const tracked = Effect.flatMap(call, (reply) => {
      this.inTransaction = reply[1]
      this.uncertain = false
      return complete(reply)
    })
    return Effect.onExit(tracked, (exit) => {
      const why = Exit.isFailure(exit) ? whyUnknown(exit.cause, sql) : undefined
      if (why !== undefined) {
        this.uncertain = true
        if (writes) this.rollbackOnly ??= { depth: this.depth, why }
      }
      return Effect.void
    })
  }

  /** Runs a user's task on the thread of this connection, as part of its transaction. */
  call<A, E>(run: (lease: Blocking.Lease) => Effect.Effect<Reply<A>, E>): Effect.Effect<A, E | Failure | SqlError> {
    return Effect.suspend(() => {
      if (this.rollbackOnly !== undefined) return Effect.fail(this.rollbackOnly.why)
      const call = Effect.suspend(() =>
        this.track(run(this.lease), (reply) => this.database.valueOf(reply), true, undefined)
      )
      return Effect.andThen(this.cleanUp, call)
    })
  }

  private run(sql: string, params: ReadonlyArray<unknown>, flags: Flags): Effect.Effect<unknown, SqlError> {
    const { database, lease } = this
    const writes = this.inside !== 0 && database.router.routeOf(sql) !== "read"
    const call = this.track(
      database.limited(lease.run(this.task, sql, params, flags | Keep), sql),
      (reply) => database.answerOf(lease, reply, flags, sql),
      writes,
      sql
    )
    return database.withSqlErrors(database.whileBusy(call), "execute", sql)
  }

  /**
   * Runs the pending savepoint statements on a fiber of its own: a caller that waits for them can be
   * interrupted, and the next caller waits for the same fiber.
   */
  private readonly cleanUp: Effect.Effect<void, SqlError> = Effect.suspend(() => {
    if (this.pending.length === 0 && this.cleaning === undefined) return Effect.void
    const pending = this.pending
    this.pending = []
    const before = this.cleaning === undefined ? Effect.void : Fiber.join(this.cleaning)
    const cleaned = Effect.andThen(
      before,
      Effect.forEach(pending, (sql) => this.run(sql, [], this.inside), { discard: true })
    )
    return Effect.flatMap(Effect.forkDetach(Effect.tapError(cleaned, (why) => this.failTransaction(why))), (fiber) => {
      this.cleaning = fiber
      return Effect.map(Fiber.join(fiber), () => {
        if (this.cleaning === fiber) this.cleaning = undefined
      })
    })
  })

  /** A savepoint could not be rolled back: its writes must not be committed. */
  private failTransaction(why: SqlError): Effect.Effect<void> {
    return Effect.sync(() => {
      this.rollbackOnly = { depth: 0, why }
    })
  }

  // ---------------------------------------------------------------------------
  // Transactions
  // ---------------------------------------------------------------------------

  begin(sql: string): Effect.Effect<void, SqlError> {
    const begun = Effect.map(this.run(sql, [], Objects), () => {
      this.inside = Inside
    })
    if (!this.onlyReads) return begun
    const onlyRead = Effect.mapError(this.lease.run(tasks.onlyRead), (problem) => sqlError(problem, "execute", sql))
    return Effect.andThen(onlyRead, begun)
  }

  readonly commit: Effect.Effect<void, SqlError> = Effect.suspend(() => {
    if (this.rollbackOnly !== undefined) return Effect.fail(this.rollbackOnly.why)
    const { database, lease } = this
    const commit = database.cancellable(
      (ticket) =>
        this.tracked(
          database.options.isolation === "process"
            ? database.inProcess(lease.run(tasks.commitInProcess, ticket))
            : lease.run(tasks.commit, ticket)
        ),
      "COMMIT"
    )
    return Effect.asVoid(Effect.andThen(this.cleanUp, database.withSqlErrors(commit, "commit", "COMMIT")))
  })

  private tracked<A, E>(call: Effect.Effect<Reply<A>, E>): Effect.Effect<Reply<A>, E> {
    return this.track(call, (reply) => Effect.succeed(reply), false, "COMMIT")
  }

  /** Rolls back if the state is known. Otherwise the connection is reset when it is released. */
  readonly rollback: Effect.Effect<void> = Effect.suspend(() =>
    this.inTransaction && !this.uncertain ? Effect.ignore(this.run("ROLLBACK", [], Objects)) : Effect.void
  )

  savepoint(id: number): Effect.Effect<void, SqlError> {
    return Effect.map(this.execute(`SAVEPOINT effect_sql_${id}`, [], Objects), () => {
      this.depth = id
    })
  }

  /** Does not wait for an interrupted statement that still runs: the next statement does. */
  rollbackSavepoint(id: number): Effect.Effect<void> {
    return Effect.suspend(() => {
      if (this.rollbackOnly !== undefined && this.rollbackOnly.depth >= id) this.rollbackOnly = undefined
      return this.runCleanUp(`ROLLBACK TO SAVEPOINT effect_sql_${id}`)
    })
  }

  releaseSavepoint(id: number): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.depth = id - 1
      return this.runCleanUp(`RELEASE SAVEPOINT effect_sql_${id}`)
    })
  }

  private runCleanUp(sql: string): Effect.Effect<void> {
    if (this.uncertain || this.pending.length > 0 || this.cleaning !== undefined) {
      this.pending.push(sql)
      return Effect.void
    }
    if (!this.inTransaction) return Effect.void
    return Effect.catch(this.run(sql, [], this.inside), (why) => this.failTransaction(why)).pipe(Effect.asVoid)
  }
}

/**
 * Holds a connection until the scope closes. A transaction that is open then is rolled back before
 * anyone else uses the connection; the scope does not wait for that.
 */
export const hold = (
  database: Database,
  pool: Blocking.Pool,
  clientScope: Scope.Scope,
  { begin, onlyReads }: { readonly begin: string | undefined; readonly onlyReads: boolean },
  restore: <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
): Effect.Effect<Session, SqlError, Scope.Scope> =>
  Effect.gen(function*() {
    const scope = yield* Scope.make()
    let session: Session | undefined
    yield* Effect.addFinalizer((exit) => {
      const giveBack = Scope.close(scope, exit)
      if (session === undefined || !session.isDirty) return giveBack
      const reset = Effect.ignore(session.lease.run(tasks.reset))
      return Effect.forkIn(Effect.ensuring(reset, giveBack), clientScope)
    })
    const lease = yield* restore(Scope.provide(pool.leaseScoped, scope)).pipe(
      Effect.mapError((problem: Problem) => sqlError(problem, "acquireConnection", undefined))
    )
    if (onlyReads) yield* restore(database.longReads.enter)
    const isReader = pool !== database.pools.writer
    // A reader's connection cannot write anyway, and losing it loses no data.
    session = new Session(database, lease, database.options.isolation === "process" || isReader, onlyReads && !isReader)
    if (begin !== undefined) yield* restore(session.begin(begin))
    return session
  })
