/** The connection of a thread, with its prepared statements. */
import * as Task from "effect-blocking/Task"
import { createRequire } from "node:module"
import { constants, DatabaseSync, type StatementSync } from "node:sqlite"
import { fileURLToPath } from "node:url"
import * as commitCells from "./commitCells.ts"
import type { Value } from "./reply.ts"

/** What a pool gives its threads. */
export interface ConnectionOptions {
  readonly filename: string
  readonly readOnly: boolean
  /** Run when the connection was opened. */
  readonly pragmas: ReadonlyArray<string>
  /** The url of a module whose default export gets each connection. */
  readonly init: string | undefined
  /** Statements that stay prepared. */
  readonly cacheSize: number
  /** See `commitCells`; `undefined`: the thread has no memory with the program. */
  readonly cells: SharedArrayBuffer | undefined
  /** Whether it is told which tables were written. */
  readonly watched: boolean
}

/** A prepared statement, and what is known of it. */
export interface Prepared {
  readonly statement: StatementSync
  /** Whether it has columns, and so rows. */
  readonly hasRows: boolean
  /** The tables that it writes, by itself or by triggers; empty if nobody wants to know. */
  writes: ReadonlyArray<string>
  /** It had few rows the last time: it is read at once and not row by row, which takes twice as long. */
  hadFewRows: boolean
}

const none: ReadonlyArray<string> = []

export class Connection {
  readonly filename: string
  database: DatabaseSync
  readonly cells: Int32Array | undefined
  /** The tables that the statements have written since this was emptied. */
  readonly written = new Set<string>()
  /** Apart from those whose integers are bigints: one statement cannot be both. */
  private readonly prepared = [new Map<string, Prepared>(), new Map<string, Prepared>()] as const
  private readonly options: ConnectionOptions
  private beginStatement: StatementSync | undefined
  private commitStatement: StatementSync | undefined

  constructor(options: ConnectionOptions) {
    this.options = options
    this.filename = options.filename
    this.cells = options.cells && new Int32Array(options.cells)
    this.database = this.open()
  }

  /** Opens the database, again if a body has closed it. */
  open(): DatabaseSync {
    const { filename, init, pragmas, readOnly, watched } = this.options
    // Nobody waits for a lock here: the program does, without a thread.
    const database = new DatabaseSync(filename, { readOnly, timeout: 0 })
    try {
      for (const pragma of pragmas) database.exec(`PRAGMA ${pragma}`)
      if (init !== undefined) runInit(init, database)
      if (watched) this.watch(database)
    } catch (error) {
      database.close()
      throw error
    }
    for (const prepared of this.prepared) prepared.clear()
    this.beginStatement = this.commitStatement = undefined
    return this.database = database
  }

  /** Notes each table that a statement is going to write, when it is prepared. */
  private watch(database: DatabaseSync): void {
    const writes = new Set<number>([constants.SQLITE_INSERT, constants.SQLITE_UPDATE, constants.SQLITE_DELETE])
    database.setAuthorizer((action, table) => {
      if (writes.has(action) && table !== null && !table.startsWith("sqlite_")) this.written.add(table)
      return constants.SQLITE_OK
    })
  }

  /** The statement, from the cache if it is there. */
  prepare(sql: string, safeIntegers: boolean): Prepared {
    const prepared = this.prepared[safeIntegers ? 1 : 0]
    let found = prepared.get(sql)
    if (found === undefined) {
      found = this.prepareAlone(sql, safeIntegers)
      const oldest = prepared.size >= this.options.cacheSize ? prepared.keys().next().value : undefined
      if (oldest !== undefined) prepared.delete(oldest)
    } else {
      // The one that was used last is dropped last.
      prepared.delete(sql)
    }
    if (this.options.cacheSize > 0) prepared.set(sql, found)
    return found
  }

  /** A statement that nobody else runs: another run of a cached one would end its iterator. */
  prepareAlone(sql: string, safeIntegers: boolean): Prepared {
    const before = this.written.size === 0 ? none : [...this.written]
    this.written.clear()
    const statement = this.database.prepare(sql)
    const writes = this.written.size === 0 ? none : [...this.written]
    for (const table of before) this.written.add(table)
    const rest = sql.slice(statement.sourceSQL.length)
    if (hasStatement(rest)) throw new RangeError(`${manyStatements}: ${rest.trim().slice(0, 100)}`)
    if (safeIntegers) statement.setReadBigInts(true)
    return { statement, hasRows: statement.columns().length > 0, writes, hadFewRows: false }
  }

  /** Runs a statement, and notes the tables that it writes: a trigger may be newer than the statement. */
  watching<A>(prepared: Prepared, run: () => A): A {
    if (!this.options.watched) return run()
    for (const table of prepared.writes) this.written.add(table)
    const known = this.written.size
    const result = run()
    if (this.written.size > known) prepared.writes = [...prepared.writes, ...[...this.written].slice(known)]
    return result
  }

  /** The tables that were written since the last call. */
  takeWritten(): ReadonlyArray<string> {
    if (this.written.size === 0) return none
    const tables = [...this.written]
    this.written.clear()
    return tables
  }

  get inTransaction(): boolean {
    return this.database.isTransaction
  }

  begin(): void {
    const begin = this.beginStatement ??= this.database.prepare("BEGIN IMMEDIATE")
    begin.run()
  }

  commit(): void {
    const commit = this.commitStatement ??= this.database.prepare("COMMIT")
    commit.run()
  }

  /** Ends a transaction that is open, whoever has begun it. */
  rollback(): void {
    if (this.database.isTransaction) this.database.exec("ROLLBACK")
  }

  close(): void {
    for (const prepared of this.prepared) prepared.clear()
    this.database.close()
  }
}

const manyStatements = "A statement is one, and this text goes on behind it"

/** Whether a text has more than blanks and comments. */
const hasStatement = (text: string): boolean =>
  text !== "" && text.replace(/--[^\n]*|\/\*[^]*?(\*\/|$)/g, "").replace(/[\s;]/g, "") !== ""

/**
 * The parameters as the driver takes them: it knows no booleans, and takes a Date for named
 * parameters, of which there are none.
 */
export const checkedParameters = (params: ReadonlyArray<unknown>): ReadonlyArray<Value> => {
  let converted: Array<Value> | undefined
  for (let i = 0; i < params.length; i++) {
    const value = params[i]
    switch (typeof value) {
      case "string":
      case "number":
      case "bigint":
        continue
      case "boolean":
        converted ??= params.slice() as Array<Value>
        converted[i] = value ? 1 : 0
        continue
      case "object":
        if (value === null || ArrayBuffer.isView(value)) continue
    }
    throw new TypeError(
      `Parameter ${i + 1} is ${kindOf(value)}, which SQLite does not store: give null, a number, a bigint, a string, ` +
        "a boolean or bytes"
    )
  }
  return converted ?? params as ReadonlyArray<Value>
}

const kindOf = (value: unknown): string => {
  if (value === undefined) return "undefined"
  const name = typeof value === "object" ? value?.constructor?.name : undefined
  return name === undefined ? `a ${typeof value}` : /^[AEIOU]/.test(name) ? `an ${name}` : `a ${name}`
}

const require = createRequire(import.meta.url)

const runInit = (url: string, database: DatabaseSync): void => {
  const module = require(fileURLToPath(url)) as { readonly default?: unknown }
  if (typeof module.default !== "function") {
    throw new TypeError(`init: ${url} has no default export that is a function of the connection`)
  }
  const returned: unknown = module.default(database)
  if (typeof returned === "object" && returned !== null && "then" in returned) {
    throw new TypeError(`init: the default export of ${url} is async, and the connection does not wait for it`)
  }
}

const optionsOfThread = (): ConnectionOptions => {
  const options = Task.threadData<ConnectionOptions>()
  if (options === undefined) throw new Error("This is no thread of a SqliteClient")
  return options
}

/** The connection of this thread, opened when it is first asked for. */
export const connection: () => Connection = Task.threadLocal(() => {
  const options = optionsOfThread()
  const { cells, filename } = options
  if (isMemory(filename) && cells !== undefined && commitCells.wasOpened(new Int32Array(cells))) throw new Error(lost)
  return new Connection(options)
}, { release: (connection) => connection.close() })

/** Whether the database is gone with its connection. */
export const isMemory = (filename: string): boolean => filename === ":memory:" || filename === ""

const lost = "The database was in memory, and is lost with its thread, which was stopped by force: " +
  "give the body a way to stop (Task.checkpoint), or use a file"

/** Connections of streams that have ended. */
const idle = Task.threadLocal<Array<Connection>>(() => [], {
  release: (connections) => {
    for (const connection of connections) connection.close()
  }
})

/** Kept for the next streams. Arbitrary: a connection takes some 100 kB, and its start half a millisecond. */
const maxIdle = 2

/**
 * A connection for a stream: while it reads, a connection sees the database as it was, which the
 * other reads of its thread must not.
 */
export const lend = (): Connection =>
  idle().pop() ?? new Connection({ ...optionsOfThread(), readOnly: true, pragmas: [] })

export const giveBack = (connection: Connection): void => {
  if (idle().length < maxIdle) idle().push(connection)
  else connection.close()
}
