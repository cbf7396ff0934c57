/** What a connection's thread does: the tasks of both pools. */
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

/** Asked by a process, which shares no memory with the program: whether that write may be committed. */
export class MayCommit extends Callback.Service<MayCommit>()(
  "@effect-blocking/sqlite/MayCommit",
  Callback.fn<[ticket: number], boolean>()
) {}

// -----------------------------------------------------------------------------
// Rows
// -----------------------------------------------------------------------------

/** How many rows are read between two looks at the stop flag. */
const looksEvery = 64

/** A result with fewer rows is small: it is read in one call the next time. */
const fewRows = 16

/** Rows that are read, all of them or those that one message carries and one more. */
interface ReadRows {
  readonly keys: ReadonlyArray<string>
  readonly rows: ReadonlyArray<ReadonlyArray<Value>>
}

/** Rows that were read and not fetched. Few at once: one client fetches its own before it does anything else. */
const kept = new Map<number, { readonly read: ReadRows; readonly from: number }>()
/** No number of another thread, which this one may have replaced. */
let lastKept = Math.floor(Math.random() * 2 ** 50)

/** About how much of a message a row takes. */
const bytesOf = (row: ReadonlyArray<Value>): number => {
  let bytes = 0
  for (const value of row) {
    bytes += typeof value === "string" ? value.length : value instanceof Uint8Array ? value.byteLength : 8
  }
  return bytes
}

const packed = (read: ReadRows, from: number, number = 0): Rows => {
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

/** The rows behind those that were told. */
export const more = Task.make(import.meta.url, "more", (rest: number): Rows => {
  const found = kept.get(rest)
  kept.delete(rest)
  if (found === undefined) throw new Error(`The rows with number ${rest} are not kept any more`)
  return packed(found.read, found.from, rest)
})

/** Nobody fetches them. */
export const drop = Task.make(import.meta.url, "drop", (rest: number): void => {
  kept.delete(rest)
})

/** Rows in one call: twice as fast as row by row, and nothing looks at the stop flag. */
const fewOf = ({ statement }: Prepared, params: ReadonlyArray<Value>, want: number): ReadRows => {
  statement.setReturnArrays(want === Arrays)
  const rows = statement.all(...params as ReadonlyArray<never>) as ReadonlyArray<unknown>
  if (want === Arrays || rows.length === 0) return { keys: [], rows: rows as ReadRows["rows"] }
  const keys = Object.keys(rows[0] as object)
  const values = (rows as ReadonlyArray<Record<string, Value>>).map((row) => keys.map((key) => row[key]!))
  return { keys, rows: values }
}

const keysOf = ({ statement }: Prepared): ReadonlyArray<string> => statement.columns().map(({ name }) => name)

/** The rows of a statement as arrays. Behind an error of it, nothing is left of the run. */
function* iterate({ statement }: Prepared, params: ReadonlyArray<Value>): Generator<ReadonlyArray<Value>> {
  statement.setReturnArrays(true)
  try {
    yield* statement.iterate(...params as ReadonlyArray<never>) as Iterable<unknown> as Iterable<ReadonlyArray<Value>>
  } catch (error) {
    // Node (22 to 26) leaves it in progress, so that no transaction of its connection can be committed; and throws the
    // same error the next time, when it ends it.
    try {
      statement.iterate().return?.()
    } catch {
      // Told already.
    }
    throw error
  }
}

/** Rows one by one; `undefined` if there are more than one message carries, and they are not to be kept. */
const manyOf = (
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
    if (rows.length % looksEvery === 0) Task.checkpoint()
    if (keep) continue
    bytes += bytesOf(row)
    values += row.length
    if (rows.length > maxRows || values > maxValues || bytes > maxBytes) return undefined
  }
  return { keys: want === Arrays || rows.length === 0 ? [] : keysOf(prepared), rows }
}

/** Runs one statement. `undefined`: it has more rows than one message carries, and they are not to be kept. */
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
    : connection.prepareAlone(sql, safeIntegers)
  return connection.watching(prepared, () => {
    if (!prepared.hasRows) {
      const changes = prepared.statement.run(...values as ReadonlyArray<never>)
      return want === Raw ? changes : null
    }
    const read = prepared.hadFewRows
      ? fewOf(prepared, values, want)
      : manyOf(prepared, values, want, (flags & Keep) !== 0)
    prepared.hadFewRows = read !== undefined && read.rows.length <= fewRows
    if (read === undefined) return undefined
    const rows = packed(read, 0)
    // Of one that writes what was read is told: to run it again would write again.
    if (rows.rest === 0 || (flags & Keep) !== 0) return rows
    kept.delete(rows.rest)
    return undefined
  })
}

const endedFromWithin =
  "The transaction has ended before its end: SQLite has rolled it back because of an error, or a " +
  "statement of it was COMMIT or ROLLBACK. Nothing more of it is run"

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

/** Whether an error is SQLite's. Of what a user's body throws, others are not told as such. */
const isSqlite = (error: unknown): boolean => error instanceof Error && "errcode" in error

const failed = (used: Connection | undefined, error: unknown, sql: string | undefined): Reply<never> => {
  // A stop of the task is no failure of SQLite.
  if (Task.stopRequested() && !isSqlite(error)) throw error
  return [Failed, used?.inTransaction ?? false, failureOf(error, sql)]
}

/** Runs a call of the connection of this thread, and says how it has ended. */
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

/** Opens the connection, if it is not open. */
export const open = Task.make(import.meta.url, "open", (): Reply<null> =>
  reply(({ database }) => {
    // Reads the file, which opening it does not.
    database.prepare("PRAGMA schema_version").get()
    return null
  }))

/** A statement that is no part of a transaction, and leaves none behind. */
const outside = (sql: string, params: ReadonlyArray<unknown>, flags: Flags): Reply<Answer> =>
  reply((connection) => {
    const answer = execute(connection, sql, params, flags)
    if (!connection.inTransaction) return answer
    connection.rollback()
    throw new Error(beginOutside)
  })

const beginOutside =
  "A transaction is begun with sql.withTransaction, which holds its connection: this one was rolled back"

/** A read outside of a transaction. */
export const read = Task.make(import.meta.url, "read", outside)

/** A statement that cannot be in a transaction, such as a PRAGMA: what it does is done when it has ended. */
export const alone = Task.make(import.meta.url, "alone", outside, { onInterrupt: "wait" })

/** A statement on the connection that is held for it. */
export const held = Task.make(
  import.meta.url,
  "held",
  (sql: string, params: ReadonlyArray<unknown>, flags: Flags): Reply<Answer> =>
    reply((connection) => execute(connection, sql, params, flags)),
  // Whoever gives it up need not wait: it is rolled back when it has ended.
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

/** Statements in a transaction of their own. Whoever gives them up has decided that with `commitCells`. */
export const batch = Task.make(import.meta.url, "batch", batchBody, { onInterrupt: "abandon" })

/** The same in a process: it has to ask, and can be ended at any moment. */
export const batchInProcess = Task.make(import.meta.url, "batchInProcess", batchBody, { callbacks: [MayCommit] })

/** The ticket of what runs in a transaction that is open already, and is decided with it. */
export const nested = 0

/**
 * Runs a body in a transaction, and commits if the program has not given it up. `sqlOf` says
 * which statement it is in, if the body is the library's; then each error is that statement's.
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
      throw new Error("The body has closed the connection, and with it its transaction")
    }
    // A trigger or `ON CONFLICT ROLLBACK` may have ended it.
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

/** Commits the transaction of the connection that is held, if the program has not given that up. */
export const commit = Task.make(import.meta.url, "commit", commitBody, { onInterrupt: "abandon" })

/** The same in a process, which has to ask. */
export const commitInProcess = Task.make(import.meta.url, "commitInProcess", commitBody, { callbacks: [MayCommit] })

/** The connection that is held only reads, until it is reset. */
export const onlyRead = Task.make(import.meta.url, "onlyRead", (): void => {
  connection().database.exec("PRAGMA query_only = ON")
})

/** Before the connection serves anyone else: whatever was begun is rolled back. */
export const reset = Task.make(import.meta.url, "reset", (): void => {
  const used = connection()
  used.rollback()
  used.database.exec("PRAGMA query_only = OFF")
}, { onInterrupt: "wait" })

/** The first element of a stream of objects: their keys, and the first row. */
export type First = readonly [keys: ReadonlyArray<string>, values: ReadonlyArray<Value>]

/**
 * The rows of a statement, one by one, as lists of values. SQLite's failure is the stream's.
 *
 * While it is read, a connection sees the database as it was, which the other reads of its
 * thread must not: outside of a transaction (`Inside`) it has a connection of its own. A
 * database in memory has no second one, and is read at once.
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
      const prepared = used.prepareAlone(sql, (flags & SafeIntegers) !== 0)
      const rows = own === undefined && (flags & Inside) === 0
        ? manyOf(prepared, values, Arrays, true)!.rows
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

/** Copies the database, as it is at one moment, to a file. */
export const copy = Task.make(import.meta.url, "copy", (destination: string): Reply<null> =>
  reply(({ database }) => {
    database.prepare("VACUUM INTO ?").run(destination)
    return null
  }))
