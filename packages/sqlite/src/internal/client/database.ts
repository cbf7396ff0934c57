/** The pools of a database, and the statements that run on them outside a transaction. */
import type * as Blocking from "effect-blocking/Blocking"
import { isJoinError } from "effect-blocking/JoinError"
import * as Task from "effect-blocking/Task"
import * as Arr from "effect/Array"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Schedule from "effect/Schedule"
import * as Semaphore from "effect/Semaphore"
import { isSqlError, type SqlError } from "effect/sql/SqlError"
import * as Stream from "effect/Stream"
import * as commitCells from "../thread/commitCells.ts"
import {
  type Answer,
  Arrays,
  Failed,
  type Failure,
  type Flags,
  Keep,
  maxBytes,
  type Reply,
  type Rows,
  type Statement,
  type Statements,
  Succeeded,
  TooMany,
  wantMask
} from "../thread/reply.ts"
import * as tasks from "../thread/statements.ts"
import {
  committedWithoutResult,
  isBusy,
  type Problem,
  rowsLost,
  sqlError,
  streamTimedOut,
  timedOut,
  unknownOutcome
} from "./errors.ts"
import { LongReads } from "./longReads.ts"
import type { ResolvedOptions } from "./options.ts"
import { Router } from "./routing.ts"
import { arraysOf, isRows, objectsOf, rowsFrom } from "./rows.ts"

export interface Pools {
  readonly writer: Blocking.Pool
  /** `undefined` if one connection both reads and writes. */
  readonly readers: Blocking.Pool | undefined
}

/** Runs tasks: a pool, or the lease of a thread. */
export type Runner = Pick<Blocking.Lease, "run" | "stream">

/** Longest wait between two tries for a lock that another process holds. */
const maxBusyDelay = "25 millis"

/**
 * A statement whose result was streamed is read in one message again when it has at most this many
 * rows, each short enough for all of them to fit a message. Arbitrary.
 */
const fewRows = 64
const narrow = maxBytes / fewRows / 4

const isNarrow = (row: unknown): boolean => {
  let length = 0
  for (const value of Object.values(row as object)) {
    length += typeof value === "string" || value instanceof Uint8Array ? value.length : 8
  }
  return length <= narrow
}

export class Database {
  readonly pools: Pools
  readonly options: ResolvedOptions
  readonly router = new Router()
  readonly longReads = new LongReads()
  /** Called with the tables that were written, after their commit. */
  onWritten: (tables: ReadonlyArray<string>) => Effect.Effect<void> = () => Effect.void

  private readonly tickets: commitCells.Tickets
  private readonly free = Semaphore.makeUnsafe(commitCells.size - 1)
  private readonly busy
  private readonly readTask
  private readonly streamTask
  /** For a connection that must not be lost: an interruption waits until SQLite reaches its next row. */
  private readonly keptStreamTask
  readonly copyTask

  constructor(pools: Pools, options: ResolvedOptions, cells: SharedArrayBuffer) {
    this.pools = pools
    this.options = options
    this.tickets = new commitCells.Tickets(cells)
    this.busy = Schedule.min([Schedule.exponential("1 millis", 1.5), Schedule.spaced(maxBusyDelay)]).pipe(
      Schedule.jittered,
      Schedule.upTo({ duration: options.busyMillis })
    )
    const limits = { idleTimeLimit: options.streamLimitMillis, timeLimit: options.streamLimitMillis }
    this.streamTask = Task.with(tasks.stream, limits)
    this.keptStreamTask = Task.with(tasks.stream, { ...limits, onInterrupt: "wait" })
    // A database in memory is lost with its thread.
    this.readTask = options.memory ? Task.with(tasks.read, { onInterrupt: "abandon" }) : tasks.read
    this.copyTask = options.memory ? Task.with(tasks.copy, { onInterrupt: "wait" }) : tasks.copy
  }

  /** Runs a statement on the connection that it needs. */
  execute(sql: string, params: ReadonlyArray<unknown>, flags: Flags): Effect.Effect<unknown, SqlError> {
    const { readers, writer } = this.pools
    switch (this.router.routeOf(sql)) {
      case "read":
        return readers === undefined
          ? this.readOn(writer, sql, params, flags | Keep)
          : this.router.isLarge(sql)
          ? this.limited(this.readAsStream(sql, params, flags), sql)
          : this.readOn(readers, sql, params, flags)
      case "readOnWriter":
        return this.readOn(writer, sql, params, flags | Keep)
      case "write":
        return Effect.map(this.batch([{ sql, params }], flags), ([answer]) => answer)
      case "autocommit":
        // No time limit: the statement cannot be rolled back.
        return this.withSqlErrors(
          this.whileBusy(
            Effect.flatMap(
              writer.run(tasks.autocommit, sql, params, flags | Keep),
              (reply) => this.answerOf(writer, reply, flags, sql)
            )
          ),
          "execute",
          sql
        )
    }
  }

  private readOn(
    pool: Blocking.Pool,
    sql: string,
    params: ReadonlyArray<unknown>,
    flags: Flags
  ): Effect.Effect<unknown, SqlError> {
    const attempt = Effect.flatMap(
      pool.run(this.readTask, sql, params, flags),
      (reply): Effect.Effect<unknown, Problem | SqlError> => {
        if (reply[0] !== TooMany) return this.answerOf(pool, reply, flags, sql)
        this.router.wasLarge(sql, true)
        return this.readAsStream(sql, params, flags)
      }
    )
    return this.withSqlErrors(this.whileBusy(this.limited(attempt, sql)), "execute", sql)
  }

  /** Reads a large result in chunks: building all of its rows at once would block the event loop. */
  private readAsStream(sql: string, params: ReadonlyArray<unknown>, flags: Flags): Effect.Effect<unknown, SqlError> {
    return Effect.tap(Stream.runCollect(this.stream(sql, params, flags)), (rows) =>
      Effect.sync(() => {
        if (rows.length <= fewRows && rows.every(isNarrow)) this.router.wasLarge(sql, false)
      }))
  }

  /** Runs statements in one transaction. */
  batch(statements: ReadonlyArray<Statement>, flags: Flags): Effect.Effect<ReadonlyArray<unknown>, SqlError> {
    const { writer } = this.pools
    const sql = statements.length === 1 ? statements[0]!.sql : undefined
    const texts = withoutRepetition(statements)
    const attempt = this.cancellable(
      (ticket) =>
        this.options.isolation === "process"
          ? this.inProcess(writer.run(tasks.batchInProcess, ticket, texts, flags))
          : writer.run(tasks.batch, ticket, texts, flags),
      sql
    )
    return this.withSqlErrors(
      Effect.flatMap(attempt, (answers) => this.all(writer, answers, flags, sql)),
      "execute",
      sql
    )
  }

  private all(
    runner: Runner,
    answers: ReadonlyArray<Answer>,
    flags: Flags,
    sql: string | undefined
  ): Effect.Effect<ReadonlyArray<unknown>, SqlError> {
    return answers.length === 1
      ? Effect.map(this.rowsOf(runner, answers[0]!, flags, sql), (rows) => [rows])
      : Effect.forEach(answers, (answer) => this.rowsOf(runner, answer, flags, sql))
  }

  /** Answers a process that asks whether it may commit. */
  inProcess<A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, Exclude<R, tasks.MayCommit>> {
    return Effect.provideService(
      effect,
      tasks.MayCommit,
      (ticket) => Effect.sync(() => this.tickets.mayCommit(ticket))
    )
  }

  /**
   * Runs a write that can be cancelled through its cell until it commits. An interruption returns
   * at once if it comes before the commit, and otherwise waits for the outcome (Q4).
   */
  cancellable<A, E>(
    run: (ticket: number) => Effect.Effect<Reply<A>, E>,
    sql: string | undefined
  ): Effect.Effect<A, E | Failure | SqlError> {
    const { free, tickets } = this
    const once = Effect.uninterruptibleMask((restore) =>
      Effect.gen({ self: this }, function*() {
        yield* restore(free.take(1))
        const ticket = tickets.take()
        // On a fiber of its own: its result is still available after this fiber is interrupted.
        const fiber = yield* Effect.forkDetach(run(ticket), { startImmediately: true })
        const exit = yield* Effect.exit(restore(this.limited(Fiber.join(fiber), sql)))
        const cancelled = Exit.isFailure(exit) && tickets.cancel(ticket)
        const late = Exit.isFailure(exit) && !cancelled ? yield* Fiber.await(fiber) : undefined
        if (cancelled) fiber.interruptUnsafe()
        tickets.giveBack(ticket)
        yield* free.release(1)
        if (late === undefined) return yield* this.valueOf(yield* exit)
        if (Exit.isSuccess(late)) return yield* this.valueOf(late.value)
        const error = late.cause.reasons.find(Cause.isFailReason)?.error
        // The thread is alive and has passed its COMMIT.
        const resultLost = isJoinError(error) && error.reason._tag === "NotCloneable"
        return yield* Effect.fail(resultLost ? committedWithoutResult(error, sql) : unknownOutcome(late.cause, sql))
      })
    )
    return this.whileBusy(once)
  }

  /** Streams the rows of a statement outside a transaction. */
  stream(sql: string, params: ReadonlyArray<unknown>, flags: Flags): Stream.Stream<unknown, SqlError> {
    if (this.router.routeOf(sql) !== "read") {
      return Stream.unwrap(
        Effect.map(this.execute(sql, params, flags), (rows) => Stream.fromIterable(rows as ReadonlyArray<unknown>))
      )
    }
    const pool = this.pools.readers ?? this.pools.writer
    return Stream.unwrap(
      Effect.as(this.longReads.enter, this.streamOn(pool, sql, params, flags, this.options.memory))
    )
  }

  /**
   * Streams the rows of a statement, on a pool or on the thread of a transaction. `keeps` says that
   * its thread must not be ended.
   */
  streamOn(
    runner: Runner,
    sql: string,
    params: ReadonlyArray<unknown>,
    flags: Flags,
    keeps: boolean
  ): Stream.Stream<unknown, SqlError> {
    return Stream.unwrap(Effect.clockWith((clock) => {
      const end = clock.currentTimeMillisUnsafe() + this.options.streamLimitMillis
      const toRow = rowsFrom(flags)
      // No lock is needed after the first row.
      const retries = Schedule.while(this.busy, ({ input }: { readonly input: Problem }) => isBusy(input))
      return Effect.succeed(
        runner.stream(keeps ? this.keptStreamTask : this.streamTask, sql, params, flags).pipe(
          Stream.retry(retries),
          Stream.mapError((problem) => sqlError(problem, "executeStream", sql)),
          // A stream that is read slowly keeps the WAL from being emptied, too.
          Stream.mapArrayEffect((chunk) =>
            clock.currentTimeMillisUnsafe() > end
              ? Effect.fail(streamTimedOut(this.options.streamLimitMillis, sql))
              : Effect.succeed(Arr.map(chunk, toRow))
          )
        )
      )
    }))
  }

  // ---------------------------------------------------------------------------
  // Replies
  // ---------------------------------------------------------------------------

  /** The value of a reply. Reports the tables that it wrote. */
  valueOf<A>(reply: Reply<A>): Effect.Effect<A, Failure> {
    switch (reply[0]) {
      case Succeeded:
        return reply[3].length === 0 ? Effect.succeed(reply[2]) : Effect.as(this.onWritten(reply[3]), reply[2])
      case Failed:
        return Effect.fail(reply[2])
      // `Cancelled`: the program has interrupted the write, and no fiber waits. `TooMany` does not come with `Keep`.
      default:
        return Effect.interrupt
    }
  }

  answerOf(
    runner: Runner,
    reply: Reply<Answer>,
    flags: Flags,
    sql: string | undefined
  ): Effect.Effect<unknown, Failure | SqlError> {
    return Effect.flatMap(this.valueOf(reply), (answer) => this.rowsOf(runner, answer, flags, sql))
  }

  /** The rows of an answer, including those that the thread has kept. */
  rowsOf(
    runner: Runner,
    answer: Answer,
    flags: Flags,
    sql: string | undefined
  ): Effect.Effect<unknown, SqlError> {
    if (answer === null) return Effect.succeed([])
    if (!isRows(answer)) return Effect.succeed(answer)
    const shape: (rows: Rows) => Array<unknown> = (flags & wantMask) === Arrays ? arraysOf : objectsOf
    const rows = shape(answer)
    if (answer.rest === 0) return Effect.succeed(rows)
    const number = answer.rest
    let rest = number
    return Effect.whileLoop({
      while: () => rest !== 0,
      body: () => runner.run(tasks.more, number),
      step: (next) => {
        rest = next.rest
        for (const row of shape(next)) rows.push(row)
      }
    }).pipe(
      Effect.onInterrupt(() => Effect.forkDetach(Effect.ignore(runner.run(tasks.drop, number)))),
      Effect.mapError((problem) => rowsLost(problem, sql)),
      Effect.as(rows)
    )
  }

  /** Retries while another process holds the lock. The wait holds no thread (Q6). */
  whileBusy<A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> {
    return Effect.catch(
      effect,
      (problem) => isBusy(problem) ? Effect.retry(effect, { while: isBusy, schedule: this.busy }) : Effect.fail(problem)
    ) as never
  }

  /** Fails a statement that exceeds its time limit. */
  limited<A, E, R>(effect: Effect.Effect<A, E, R>, sql: string | undefined): Effect.Effect<A, E | SqlError, R> {
    const { statementLimitMillis } = this.options
    return statementLimitMillis === undefined ? effect : Effect.timeoutOrElse(effect, {
      duration: statementLimitMillis,
      orElse: () => Effect.fail(timedOut(statementLimitMillis, sql))
    })
  }

  /** Turns problems into the errors of `effect/sql`. */
  withSqlErrors<A, R>(
    effect: Effect.Effect<A, Problem | SqlError, R>,
    operation: string,
    sql: string | undefined
  ): Effect.Effect<A, SqlError, R> {
    return Effect.mapError(effect, (problem) => isSqlError(problem) ? problem : sqlError(problem, operation, sql))
  }
}

const withoutRepetition = (statements: ReadonlyArray<Statement>): Statements => {
  const texts: Array<Statements[number]> = []
  let last: string | undefined
  for (const { params, sql } of statements) {
    if (sql !== last) texts.push(last = sql)
    texts.push(params)
  }
  return texts
}
