/** The tasks of both pools, which run on a connection's thread. */
import * as Callback from "effect-blocking/Callback"
import * as Task from "effect-blocking/Task"
import type * as Result from "effect/Result"
import * as commitCells from "./commitCells.ts"
import {
  checkedParameters,
  type Connection,
  connection,
  giveBack,
  isMemory,
  lend,
  type Prepared
} from "./connection.ts"
import {
  type Answer,
  Arrays,
  Cancelled,
  Failed,
  type Failure,
  FailureTag,
  type Flags,
  Inside,
  Keep,
  maxBytes,
  maxRows,
  maxValues,
  Raw,
  type Reply,
  type Rows,
  SafeIntegers,
  type Statements,
  Succeeded,
  TooMany,
  Unprepared,
  type Value,
  wantMask
} from "./reply.ts"
import { result } from "./result.ts"

/** Whether a write may commit. Called by processes, which share no memory with the program. */
export class MayCommit extends Callback.Service<MayCommit>()(
  "@effect-blocking/sqlite/MayCommit",
  Callback.fn<[ticket: number], boolean>()
) {}

// -----------------------------------------------------------------------------
// Rows
// -----------------------------------------------------------------------------

/** How many rows are read between two checks of the stop flag. */
const checkEvery = 64

/** A statement that returned at most this many rows is read in one call the next time. */
const fewRows = 16

/** The rows of a result: all of them, or one row more than a message carries. */
interface ReadRows {
  readonly keys: ReadonlyArray<string>
  readonly rows: ReadonlyArray<ReadonlyArray<Value>>
}

/** Rows that were read and not fetched yet. There are few: a client fetches its rows before it continues. */
const kept = new Map<number, { readonly read: ReadRows; readonly from: number }>()
/** Starts at random: this thread may have replaced another one, and must not use its numbers. */
let lastKept = Math.floor(Math.random() * 2 ** 50)

/** About how many bytes of a message a row takes. */
const bytesOf = (row: ReadonlyArray<Value>): number => {
  let bytes = 0
  for (const value of row) {
    bytes += typeof value === "string" ? value.length : value instanceof Uint8Array ? value.byteLength : 8
  }
  return bytes
}

const pack = (read: ReadRows, from: number, number = 0): Rows => {
  const { keys, rows } = read
  const most = Math.min(from + maxRows, rows.length)
  const values: Array<Value> = []
  let end = from
  for (let bytes = 0; end < most && values.length < maxValues && bytes < maxBytes; end++) {
    const row = rows[end]!
    bytes += bytesOf(row)
    values.push(...row)
  }
  if (end === rows.length) return { keys, values, count: end - from, rest: 0 }
  const rest = number === 0 ? ++lastKept : number
  kept.set(rest, { read, from: end })
  return { keys, values, count: end - from, rest }
}

/** Returns the next chunk of kept rows. */
export const more = Task.make(import.meta.url, "more", (rest: number): Rows => {
  const found = kept.get(rest)
  kept.delete(rest)
  if (found === undefined) throw new Error(`The rows with number ${rest} are no longer kept`)
  return pack(found.read, found.from, rest)
})

/** Drops kept rows that are not needed. */
export const drop = Task.make(import.meta.url, "drop", (rest: number): void => {
  kept.delete(rest)
})

/** Reads rows in one call: twice as fast as row by row, but without a check of the stop flag. */
const readAtOnce = ({ statement }: Prepared, params: ReadonlyArray<Value>, want: number): ReadRows => {
  statement.setReturnArrays(want === Arrays)
  const rows = statement.all(...params as ReadonlyArray<never>) as ReadonlyArray<unknown>
  if (want === Arrays || rows.length === 0) return { keys: [], rows: rows as ReadRows["rows"] }
  const keys = Object.keys(rows[0] as object)
  const values = (rows as ReadonlyArray<Record<string, Value>>).map((row) => keys.map((key) => row[key]!))
  return { keys, rows: values }
}

const keysOf = ({ statement }: Prepared): ReadonlyArray<string> => statement.columns().map(({ name }) => name)

/** Yields the rows of a statement as arrays. Ends the run of the statement, also after an error. */
function* iterate({ statement }: Prepared, params: ReadonlyArray<Value>): Generator<ReadonlyArray<Value>> {
  statement.setReturnArrays(true)
  try {
    yield* statement.iterate(...params as ReadonlyArray<never>) as Iterable<unknown> as Iterable<ReadonlyArray<Value>>
  } catch (error) {
    // Node (22 to 26) leaves the statement in progress, and no transaction of the connection can commit then. The
    // next call ends it, and throws the same error again.
    try {
      statement.iterate().return?.()
    } catch {
      // The first error is thrown below.
    }
    throw error
  }
}

/** Reads rows one by one. Without `keep`, returns `undefined` if one message cannot carry them. */
const readRowByRow = (
  prepared: Prepared,
  params: ReadonlyArray<Value>,
  want: number,
  keep: boolean
): ReadRows | undefined => {
  const rows: Array<ReadonlyArray<Value>> = []
  let bytes = 0
  let values = 0
  for (const row of iterate(prepared, params)) {
    rows.push(row)
    if (rows.length % checkEvery === 0) Task.checkpoint()
    if (keep) continue
    bytes += bytesOf(row)
    values += row.length
    if (rows.length > maxRows || values > maxValues || bytes > maxBytes) return undefined
  }
  return { keys: want === Arrays || rows.length === 0 ? [] : keysOf(prepared), rows }
}

/** Runs one statement. Without `Keep`, returns `undefined` if one message cannot carry its rows. */
const execute = (
  connection: Connection,
  sql: string,
  params: ReadonlyArray<unknown>,
  flags: Flags
): Answer | undefined => {
  if ((flags & Inside) !== 0 && !connection.inTransaction) throw new Error(endedFromWithin)
  const safeIntegers = (flags & SafeIntegers) !== 0
  const want = flags & wantMask
  const values = checkedParameters(params)
  const prepared = (flags & Unprepared) === 0
    ? connection.prepare(sql, safeIntegers)
    : connection.prepareUncached(sql, safeIntegers)
  return connection.tracking(prepared, () => {
    if (!prepared.hasRows) {
      const changes = prepared.statement.run(...values as ReadonlyArray<never>)
      return want === Raw ? changes : null
    }
    const read = prepared.hadFewRows
      ? readAtOnce(prepared, values, want)
      : readRowByRow(prepared, values, want, (flags & Keep) !== 0)
    prepared.hadFewRows = read !== undefined && read.rows.length <= fewRows
    if (read === undefined) return undefined
    const rows = pack(read, 0)
    // With `Keep`, the rows that were read are the result: to run a write again would write again.
    if (rows.rest === 0 || (flags & Keep) !== 0) return rows
    kept.delete(rows.rest)
    return undefined
  })
}

const endedFromWithin =
  "The transaction ended early: SQLite rolled it back after an error, or one of its statements was COMMIT or ROLLBACK. " +
  "The rest of it does not run"

// -----------------------------------------------------------------------------
// Replies
// -----------------------------------------------------------------------------

const failureOf = (error: unknown, sql: string | undefined): Failure => {
  const { code, errcode, message, stack }: Error & { readonly code?: unknown; readonly errcode?: unknown } =
    error instanceof Error ? error : new Error(String(error))
  return {
    _tag: FailureTag,
    message,
    errcode: typeof errcode === "number" ? errcode : undefined,
    code: typeof code === "string" ? code : undefined,
    stack,
    sql
  }
}

/** Whether an error is SQLite's. A user's body can throw others, which stay what they are. */
const isSqlite = (error: unknown): boolean => error instanceof Error && "errcode" in error

const failed = (used: Connection | undefined, error: unknown, sql: string | undefined): Reply<never> => {
  // A stop of the task is not a failure of SQLite.
  if (Task.stopRequested() && !isSqlite(error)) throw error
  return [Failed, used?.inTransaction ?? false, failureOf(error, sql)]
}

/** Runs a call on the connection of this thread, and returns its outcome. */
const reply = <A>(run: (connection: Connection) => A | undefined): Reply<A> => {
  let used: Connection | undefined
  try {
    used = connection()
    used.written.clear()
    const value = run(used)
    return value === undefined
      ? [TooMany, used.inTransaction]
      : [Succeeded, used.inTransaction, value, used.takeWritten()]
  } catch (error) {
    return failed(used, error, undefined)
  }
}

// -----------------------------------------------------------------------------
// Tasks
// -----------------------------------------------------------------------------

/** Opens the connection if it is not open. */
export const open = Task.make(import.meta.url, "open", (): Reply<null> =>
  reply(({ database }) => {
    // Opening does not read the file, but this does.
    database.prepare("PRAGMA schema_version").get()
    return null
  }))

/** Runs a statement outside a transaction. If it begins one, that is rolled back. */
const outside = (sql: string, params: ReadonlyArray<unknown>, flags: Flags): Reply<Answer> =>
  reply((connection) => {
    const answer = execute(connection, sql, params, flags)
    if (!connection.inTransaction) return answer
    connection.rollback()
    throw new Error(beginOutside)
  })

const beginOutside = "The transaction was rolled back: begin it with sql.withTransaction, which holds its connection"

/** A read outside a transaction. */
export const read = Task.make(import.meta.url, "read", outside)

/** A statement that cannot run in a transaction, such as a PRAGMA, and so cannot be rolled back. */
export const autocommit = Task.make(import.meta.url, "autocommit", outside, { onInterrupt: "wait" })

/** A statement on a held connection. */
export const held = Task.make(
  import.meta.url,
  "held",
  (sql: string, params: ReadonlyArray<unknown>, flags: Flags): Reply<Answer> =>
    reply((connection) => execute(connection, sql, params, flags)),
  // An interruption need not wait: the statement is rolled back when it ends.
  { onInterrupt: "abandon" }
)

const batchBody = (ticket: number, statements: Statements, flags: Flags): Reply<ReadonlyArray<Answer>> => {
  let sql: string | undefined
  return transact(ticket, (used) => {
    const answers: Array<Answer> = []
    for (const textOrParams of statements) {
      if (typeof textOrParams === "string") sql = textOrParams
      else answers.push(execute(used, sql!, textOrParams, flags | Keep | Inside)!)
    }
    return answers
  }, () => sql)
}

/** Statements in one transaction. An interruption cancels them through `commitCells`, and need not wait. */
export const batch = Task.make(import.meta.url, "batch", batchBody, { onInterrupt: "abandon" })

/** The same in a process: it asks before it commits, and may be killed at any moment. */
export const batchInProcess = Task.make(import.meta.url, "batchInProcess", batchBody, { callbacks: [MayCommit] })

/** The ticket of a body inside an open transaction, which commits or rolls back with it. */
export const nested = 0

/**
 * Runs a body in a transaction, and commits unless the write was cancelled. `sqlOf` is for bodies
 * of the library: it returns the current statement, to which any error belongs.
 */
export const transact = <A>(
  ticket: number,
  body: (connection: Connection) => A,
  sqlOf?: () => string | undefined
): Reply<A> => {
  let used: Connection | undefined
  try {
    used = connection()
    used.written.clear()
    if (ticket === nested) return [Succeeded, true, inSavepoint(used, body), used.takeWritten()]
    used.begin()
    const value = body(used)
    if (!used.database.isOpen) {
      used.open()
      throw new Error("The body closed its connection, which ended the transaction")
    }
    // A trigger or `ON CONFLICT ROLLBACK` may have ended the transaction.
    if (!used.inTransaction) throw new Error(endedFromWithin)
    if (!mayCommit(used, ticket)) {
      used.rollback()
      return [Cancelled, false]
    }
    used.commit()
    return [Succeeded, false, value, used.takeWritten()]
  } catch (error) {
    if (ticket !== nested) used?.rollback()
    if (used !== undefined && sqlOf === undefined && !isSqlite(error)) throw error
    return failed(used, error, sqlOf?.())
  }
}

const inSavepoint = <A>(used: Connection, body: (connection: Connection) => A): A => {
  if (!used.inTransaction) throw new Error(endedFromWithin)
  const { database } = used
  database.exec("SAVEPOINT effect_blocking")
  try {
    const value = body(used)
    database.exec("RELEASE effect_blocking")
    return value
  } catch (error) {
    // SQLite may have ended the transaction, and the savepoint with it.
    if (used.inTransaction) database.exec("ROLLBACK TO effect_blocking; RELEASE effect_blocking")
    throw error
  }
}

const mayCommit = (connection: Connection, ticket: number): boolean =>
  connection.cells === undefined ? MayCommit.callOrThrow(ticket) : commitCells.mayCommit(connection.cells, ticket)

const commitBody = (ticket: number): Reply<null> =>
  reply((used) => {
    if (!used.inTransaction) throw new Error(endedFromWithin)
    if (!mayCommit(used, ticket)) {
      used.rollback()
      return null
    }
    used.commit()
    return null
  })

/** Commits the transaction of a held connection, unless the program has cancelled it. */
export const commit = Task.make(import.meta.url, "commit", commitBody, { onInterrupt: "abandon" })

/** The same in a process, which asks before it commits. */
export const commitInProcess = Task.make(import.meta.url, "commitInProcess", commitBody, { callbacks: [MayCommit] })

/** Lets a held connection only read, until `reset`. */
export const onlyRead = Task.make(import.meta.url, "onlyRead", (): void => {
  connection().database.exec("PRAGMA query_only = ON")
})

/** Prepares a connection for its next user: rolls back an open transaction, and allows writes. */
export const reset = Task.make(import.meta.url, "reset", (): void => {
  const used = connection()
  used.rollback()
  used.database.exec("PRAGMA query_only = OFF")
}, { onInterrupt: "wait" })

/** The first element of a stream of objects: the keys, and the first row. */
export type First = readonly [keys: ReadonlyArray<string>, values: ReadonlyArray<Value>]

/**
 * Streams the rows of a statement as lists of values. The stream fails with SQLite's failure.
 *
 * An open stream keeps its connection at one snapshot, and other reads on the thread must see the
 * current state. So a stream outside a transaction (without `Inside`) has a connection of its own.
 * A database in memory has only one connection: its rows are read at once.
 */
export const stream = Task.stream(
  import.meta.url,
  "stream",
  function*(
    sql: string,
    params: ReadonlyArray<unknown>,
    flags: Flags
  ): Generator<First | ReadonlyArray<Value>, Result.Result<void, Failure>> {
    let own: Connection | undefined
    try {
      const used = (flags & Inside) !== 0 || isInMemory() ? connection() : own = lend()
      if ((flags & Inside) !== 0 && !used.inTransaction) throw new Error(endedFromWithin)
      const values = checkedParameters(params)
      const prepared = used.prepareUncached(sql, (flags & SafeIntegers) !== 0)
      const rows = own === undefined && (flags & Inside) === 0
        ? readRowByRow(prepared, values, Arrays, true)!.rows
        : iterate(prepared, values)
      let isFirst = (flags & wantMask) !== Arrays
      for (const row of rows) {
        yield isFirst ? [keysOf(prepared), row] : row
        isFirst = false
      }
      return result("Success", undefined)
    } catch (error) {
      if (Task.stopRequested() && !isSqlite(error)) throw error
      return result("Failure", failureOf(error, sql))
    } finally {
      if (own !== undefined) giveBack(own)
    }
  }
)

const isInMemory = (): boolean => isMemory(connection().filename)

/** Copies a snapshot of the database to a file. */
export const copy = Task.make(import.meta.url, "copy", (destination: string): Reply<null> =>
  reply(({ database }) => {
    database.prepare("VACUUM INTO ?").run(destination)
    return null
  }))
