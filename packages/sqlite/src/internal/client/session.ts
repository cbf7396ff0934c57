/** A connection that is held: of a transaction, or of `sql.reserve`. */
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
  "A write of this transaction was interrupted, and may have been run or not: nothing is left but to roll it " +
  "back. Interrupt the transaction, or a savepoint (a nested withTransaction) around the write"

const lost = new Set<JoinErrorReason["_tag"]>(["Cancelled", "OutOfMemory", "ShutDown", "TimedOut", "WorkerExited"])

/** Why nobody knows how a call has ended: its fiber was interrupted, it took too long, its thread is gone. */
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
  /** Whether a transaction is open; not known while a statement that was given up still runs. */
  private inTransaction = false
  private uncertain = false
  /** `Inside`, once the transaction has begun. */
  private inside: Flags = 0
  /** What has to be run before anything else: cleaning up that nobody waited for. */
  private owed: Array<string> = []
  private settling: Fiber.Fiber<void, SqlError> | undefined
  /** How many savepoints are open. */
  private depth = 0
  /** Why nothing is left but to roll it back, to a savepoint below this depth. */
  private doom: { readonly depth: number; readonly why: SqlError } | undefined

  readonly lease: Blocking.Lease
  private readonly database: Database
  /** Whether its thread may be ended for what runs in it. */
  private readonly kills: boolean
  private readonly onlyReads: boolean
  private readonly task

  constructor(database: Database, lease: Blocking.Lease, kills: boolean, onlyReads: boolean) {
    this.database = database
    this.lease = lease
    this.kills = kills
    this.onlyReads = onlyReads
    // What is killed is rolled back: nobody waits for its end.
    this.task = kills ? Task.with(tasks.held, { onInterrupt: "stop" }) : tasks.held
  }

  /** Whether it has to be reset before its connection serves others. */
  get isDirty(): boolean {
    return this.inTransaction || this.uncertain || this.onlyReads
  }

  execute(sql: string, params: ReadonlyArray<unknown>, flags: Flags): Effect.Effect<unknown, SqlError> {
    return Effect.suspend(() => {
      if (this.doom !== undefined) return Effect.fail(this.doom.why)
      return this.owed.length === 0 && this.settling === undefined
        ? this.run(sql, params, flags | this.inside)
        : Effect.andThen(this.settle, this.run(sql, params, flags | this.inside))
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
      Effect.map(this.settle, () => database.streamOn(this.lease, sql, params, flags | Inside, !this.kills))
    )
  }

  /** Keeps what is known of the connection, by what a call of it has told or that nobody knows. */
  private track<A extends readonly [unknown, boolean, ...ReadonlyArray<unknown>], E, R, B, E2>(
    call: Effect.Effect<A, E, R>,
    complete: (reply: A) => Effect.Effect<B, E2>,
    writes: boolean,
    sql: string | undefined
  ): Effect.Effect<B, E | E2, R> {
    const told = Effect.flatMap(call, (reply) => {
      this.inTransaction = reply[1]
      this.uncertain = false
      return complete(reply)
    })
    return Effect.onExit(told, (exit) => {
      const why = Exit.isFailure(exit) ? whyUnknown(exit.cause, sql) : undefined
      if (why !== undefined) {
        this.uncertain = true
        if (writes) this.doom ??= { depth: this.depth, why }
      }
      return Effect.void
    })
  }

  /** Runs a task of a user on the thread of this connection, as a part of its transaction. */
  call<A, E>(run: (lease: Blocking.Lease) => Effect.Effect<Reply<A>, E>): Effect.Effect<A, E | Failure | SqlError> {
    return Effect.suspend(() => {
      if (this.doom !== undefined) return Effect.fail(this.doom.why)
      const call = Effect.suspend(() =>
        this.track(run(this.lease), (reply) => this.database.valueOf(reply), true, undefined)
      )
      return Effect.andThen(this.settle, call)
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
    return database.told(database.whileBusy(call), "execute", sql)
  }

  /** Runs what is owed, on a fiber of its own: whoever waits for it can be interrupted, and the next one goes on to wait. */
  private readonly settle: Effect.Effect<void, SqlError> = Effect.suspend(() => {
    if (this.owed.length === 0 && this.settling === undefined) return Effect.void
    const owed = this.owed
    this.owed = []
    const before = this.settling === undefined ? Effect.void : Fiber.join(this.settling)
    const settled = Effect.andThen(
      before,
      Effect.forEach(owed, (sql) => this.run(sql, [], this.inside), { discard: true })
    )
    return Effect.flatMap(Effect.forkDetach(Effect.tapError(settled, (why) => this.doomed(why))), (fiber) => {
      this.settling = fiber
      return Effect.map(Fiber.join(fiber), () => {
        if (this.settling === fiber) this.settling = undefined
      })
    })
  })

  /** A savepoint was not rolled back: what is in it must not be committed. */
  private doomed(why: SqlError): Effect.Effect<void> {
    return Effect.sync(() => {
      this.doom = { depth: 0, why }
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
    if (this.doom !== undefined) return Effect.fail(this.doom.why)
    const { database, lease } = this
    const commit = database.decided(
      (ticket) =>
        this.tracked(
          database.options.isolation === "process"
            ? database.inProcess(lease.run(tasks.commitInProcess, ticket))
            : lease.run(tasks.commit, ticket)
        ),
      "COMMIT"
    )
    return Effect.asVoid(Effect.andThen(this.settle, database.told(commit, "commit", "COMMIT")))
  })

  private tracked<A, E>(call: Effect.Effect<Reply<A>, E>): Effect.Effect<Reply<A>, E> {
    return this.track(call, (reply) => Effect.succeed(reply), false, "COMMIT")
  }

  /** If the connection can be asked now; otherwise it is reset when it is given back. */
  readonly rollback: Effect.Effect<void> = Effect.suspend(() =>
    this.inTransaction && !this.uncertain ? Effect.ignore(this.run("ROLLBACK", [], Objects)) : Effect.void
  )

  savepoint(id: number): Effect.Effect<void, SqlError> {
    return Effect.map(this.execute(`SAVEPOINT effect_sql_${id}`, [], Objects), () => {
      this.depth = id
    })
  }

  /** Nobody waits for a statement that was given up and still runs: the next one does. */
  rollbackSavepoint(id: number): Effect.Effect<void> {
    return Effect.suspend(() => {
      if (this.doom !== undefined && this.doom.depth >= id) this.doom = undefined
      return this.clean(`ROLLBACK TO SAVEPOINT effect_sql_${id}`)
    })
  }

  releaseSavepoint(id: number): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.depth = id - 1
      return this.clean(`RELEASE SAVEPOINT effect_sql_${id}`)
    })
  }

  private clean(sql: string): Effect.Effect<void> {
    if (this.uncertain || this.owed.length > 0 || this.settling !== undefined) {
      this.owed.push(sql)
      return Effect.void
    }
    if (!this.inTransaction) return Effect.void
    return Effect.catch(this.run(sql, [], this.inside), (why) => this.doomed(why)).pipe(Effect.asVoid)
  }
}

/**
 * Holds a connection until the scope closes. What is open then is rolled back before it serves
 * anyone else; nobody waits for that.
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
    // A reader's connection cannot write anyway, and nothing is lost with it.
    session = new Session(database, lease, database.options.isolation === "process" || isReader, onlyReads && !isReader)
    if (begin !== undefined) yield* restore(session.begin(begin))
    return session
  })
