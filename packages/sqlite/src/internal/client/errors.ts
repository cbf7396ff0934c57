/** Turns the failures of a thread into the errors of `effect/sql`. */
import { isJoinError, type JoinError } from "effect-blocking/JoinError"
import {
  classifySqliteError,
  ConnectionError,
  SqlError,
  StatementTimeoutError,
  UnknownError
} from "effect/sql/SqlError"
import { type Failure, FailureTag } from "../thread/reply.ts"

/** The result codes of SQLite that are treated here. */
const Busy = 5
const ReadOnly = 8
const Full = 13
const CantOpen = 14
const NotADatabase = 26
/** A read transaction tried to write after another connection wrote: only a new transaction helps. */
const BusySnapshot = 517

/** Advice for the user, by primary code. */
const advice: Readonly<Record<number, string>> = {
  [Busy]: "another connection holds the lock, and `busyTimeout` has passed",
  [ReadOnly]: "sql.readTransaction and `readonly` do not allow writes: use sql.withTransaction",
  [Full]: "the disk is full, or `max_page_count` is reached: the statement wrote nothing",
  [CantOpen]: "check the path, its folder, and the permissions of both",
  [NotADatabase]: "the file is not a SQLite database, or is encrypted"
}

/** Why a call of a connection failed: SQLite, or its thread. */
export type Problem = Failure | JoinError

export const isFailure = (problem: unknown): problem is Failure =>
  typeof problem === "object" && problem !== null && "_tag" in problem && problem._tag === FailureTag

const primary = (errcode: number | undefined): number => (errcode ?? 0) & 0xff

/** A statement is open on the same connection: to wait would not help. */
const leftOpen = /statements in progress/

/**
 * Whether a retry can succeed: another connection holds the lock, or all threads are stuck in
 * statements that were given up.
 */
export const isBusy = (problem: unknown): boolean => {
  if (isJoinError(problem)) return problem.reason._tag === "SpawnFailed"
  if (!isFailure(problem) || leftOpen.test(problem.message)) return false
  return primary(problem.errcode) === Busy && problem.errcode !== BusySnapshot
}

/** The error of SQLite as its driver throws it, with the code where `effect/sql` looks for it. */
export const causeOf = ({ code, errcode, message, stack }: Failure): Error => {
  const cause = Object.assign(new Error(message), {
    ...(code === undefined ? {} : { code }),
    ...(errcode === undefined ? {} : { errcode, errno: errcode })
  })
  if (stack !== undefined) cause.stack = stack
  return cause
}

/** How many characters of a statement a message shows. Arbitrary. */
const maxShown = 300

const inStatement = (sql: string | undefined): string =>
  sql === undefined ? "" : `, in: ${sql.length > maxShown ? `${sql.slice(0, maxShown)} …` : sql}`

export const describe = (failure: Failure, sql: string | undefined): string => {
  const hint = leftOpen.test(failure.message)
    ? "a body left a statement open: read its iterator to the end, or call its return()"
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

/** The thread was lost, and may have committed before. */
export const unknownOutcome = (cause: unknown, sql: string | undefined): SqlError =>
  new SqlError({
    reason: new ConnectionError({
      cause,
      operation: "commit",
      message: `The thread was lost during COMMIT, and the outcome is unknown: check the data before you try again${
        inStatement(sql)
      }`
    })
  })

/** The write was committed, and then its result could not be sent. */
export const committedWithoutResult = (cause: JoinError, sql: string | undefined): SqlError =>
  new SqlError({
    reason: new UnknownError({
      cause,
      operation: "commit",
      message: `The write is committed, but its result is lost: ${cause.message}${inStatement(sql)}`
    })
  })

/** The rows that were not fetched yet were lost with their thread. */
export const rowsLost = (cause: JoinError, sql: string | undefined): SqlError =>
  new SqlError({
    reason: new ConnectionError({
      cause,
      operation: "execute",
      message:
        "The thread was lost before all rows were fetched. Outside a transaction, the writes of the statement are " +
        `committed${inStatement(sql)}`
    })
  })

export const timedOut = (limitMillis: number, sql: string | undefined): SqlError =>
  new SqlError({
    reason: new StatementTimeoutError({
      cause: undefined,
      operation: "execute",
      message: `The statement exceeded its statementTimeLimit of ${limitMillis} ms${inStatement(sql)}`
    })
  })

export const streamTimedOut = (limitMillis: number, sql: string): SqlError =>
  new SqlError({
    reason: new StatementTimeoutError({
      cause: undefined,
      operation: "executeStream",
      message: `The stream exceeded its streamTimeLimit of ${limitMillis} ms, and kept the WAL from being emptied` +
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
      message: `The backup to ${path} failed: ${cause instanceof Error ? cause.message : String(cause)}`
    })
  })
