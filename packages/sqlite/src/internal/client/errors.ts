/** From what a thread tells, or what has become of it, to the errors of `effect/sql`. */
import { isJoinError, type JoinError } from "effect-blocking/JoinError"
import {
  classifySqliteError,
  ConnectionError,
  SqlError,
  StatementTimeoutError,
  UnknownError
} from "effect/sql/SqlError"
import { type Failure, FailureTag } from "../thread/reply.ts"

/** SQLite's result codes that are looked at. */
const Busy = 5
const ReadOnly = 8
const Full = 13
const CantOpen = 14
const NotADatabase = 26
/** A read transaction that wants to write, behind a write of another connection: only its begin can be tried again. */
const BusySnapshot = 517

/** What can be done about it, by primary code. */
const advice: Readonly<Record<number, string>> = {
  [Busy]: "another connection holds the lock, and `busyTimeout` has passed",
  [ReadOnly]: "nothing is written in sql.readTransaction, nor with `readonly`: use sql.withTransaction",
  [Full]: "the disk is full, or `max_page_count` is reached: nothing of the statement was written",
  [CantOpen]: "look at the path, its folder, and the permissions of both",
  [NotADatabase]: "the file is no SQLite database, or is encrypted"
}

/** Why a call of a connection has failed: SQLite, or its thread. */
export type Problem = Failure | JoinError

export const isFailure = (problem: unknown): problem is Failure =>
  typeof problem === "object" && problem !== null && "_tag" in problem && problem._tag === FailureTag

const primary = (errcode: number | undefined): number => (errcode ?? 0) & 0xff

/** A statement that was left open in the same connection, which no waiting ends. */
const leftOpen = /statements in progress/

/**
 * Whether others are in the way, so that the same can be tried again: the lock of a connection, or
 * threads that are stuck in statements nobody waits for any more.
 */
export const isBusy = (problem: unknown): boolean => {
  if (isJoinError(problem)) return problem.reason._tag === "SpawnFailed"
  if (!isFailure(problem) || leftOpen.test(problem.message)) return false
  return primary(problem.errcode) === Busy && problem.errcode !== BusySnapshot
}

/** The error of SQLite, as its driver throws it, with the code where `effect/sql` looks for it. */
export const causeOf = ({ code, errcode, message, stack }: Failure): Error => {
  const cause = Object.assign(new Error(message), {
    ...(code === undefined ? {} : { code }),
    ...(errcode === undefined ? {} : { errcode, errno: errcode })
  })
  if (stack !== undefined) cause.stack = stack
  return cause
}

/** How much of a statement stands in a message. Arbitrary. */
const maxShown = 300

const inStatement = (sql: string | undefined): string =>
  sql === undefined ? "" : `, in: ${sql.length > maxShown ? `${sql.slice(0, maxShown)} …` : sql}`

export const describe = (failure: Failure, sql: string | undefined): string => {
  const hint = leftOpen.test(failure.message)
    ? "a body has left a statement open: read its iterator to the end, or call its return()"
    : advice[primary(failure.errcode)]
  return `${failure.message}${hint === undefined ? "" : ` (${hint})`}${inStatement(failure.sql ?? sql)}`
}

export const sqlError = (problem: Problem, operation: string, sql: string | undefined): SqlError =>
  isFailure(problem)
    ? new SqlError({ reason: classifySqliteError(causeOf(problem), { message: describe(problem, sql), operation }) })
    : threadError(problem, operation, sql)

const threadError = (cause: JoinError, operation: string, sql: string | undefined): SqlError => {
  const props = { cause, operation, message: `${cause.message}${inStatement(sql)}` }
  switch (cause.reason._tag) {
    case "TimedOut":
    case "QueueTimedOut":
      return new SqlError({ reason: new StatementTimeoutError(props) })
    case "WorkerExited":
    case "OutOfMemory":
    case "ShutDown":
    case "SpawnFailed":
    case "QueueFull":
    case "Cancelled":
    case "WouldDeadlock":
      return new SqlError({ reason: new ConnectionError(props) })
    default:
      return new SqlError({ reason: new UnknownError(props) })
  }
}

/** The thread is gone, and whether it has committed before that nobody knows. */
export const unknownOutcome = (cause: unknown, sql: string | undefined): SqlError =>
  new SqlError({
    reason: new ConnectionError({
      cause,
      operation: "commit",
      message:
        "The thread was lost while it committed, so that the outcome is not known: look at the data before it is " +
        `tried again${inStatement(sql)}`
    })
  })

/** It has committed, and then its result could not be sent. */
export const committedWithoutResult = (cause: JoinError, sql: string | undefined): SqlError =>
  new SqlError({
    reason: new UnknownError({
      cause,
      operation: "commit",
      message: `It is committed, but its result is lost: ${cause.message}${inStatement(sql)}`
    })
  })

/** The rows behind those that were told are gone with their thread. */
export const rowsLost = (cause: JoinError, sql: string | undefined): SqlError =>
  new SqlError({
    reason: new ConnectionError({
      cause,
      operation: "execute",
      message:
        "The thread was lost before all rows were fetched from it. Outside of a transaction, what the statement " +
        `has written is committed${inStatement(sql)}`
    })
  })

export const timedOut = (limitMillis: number, sql: string | undefined): SqlError =>
  new SqlError({
    reason: new StatementTimeoutError({
      cause: undefined,
      operation: "execute",
      message: `The statement has not ended within its statementTimeLimit of ${limitMillis} ms${inStatement(sql)}`
    })
  })

export const streamTimedOut = (limitMillis: number, sql: string): SqlError =>
  new SqlError({
    reason: new StatementTimeoutError({
      cause: undefined,
      operation: "executeStream",
      message:
        `The stream was open for longer than its streamTimeLimit of ${limitMillis} ms, and held the WAL meanwhile` +
        inStatement(sql)
    })
  })

export const refused = (message: string, sql: string | undefined): SqlError =>
  new SqlError({
    reason: new UnknownError({
      cause: new Error(message),
      operation: "execute",
      message: `${message}${inStatement(sql)}`
    })
  })

export const backupFailed = (path: string, cause: unknown): SqlError =>
  new SqlError({
    reason: new UnknownError({
      cause,
      operation: "backup",
      message: `The copy of the database cannot be put in place of ${path}: ${
        cause instanceof Error ? cause.message : String(cause)
      }`
    })
  })
