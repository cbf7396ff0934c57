/** The connection of a thread, and its prepared statements. */
import * as Task from "effect-blocking/Task"
import { createRequire } from "node:module"
import { constants, DatabaseSync, type StatementSync } from "node:sqlite"
import { fileURLToPath } from "node:url"
import * as commitCells from "./commitCells.ts"
import type { Value } from "./reply.ts"

/** The thread data of both pools. */
export interface ConnectionOptions {
  readonly filename: string
  readonly readOnly: boolean
  /** Run on each new connection. */
  readonly pragmas: ReadonlyArray<string>
  /** The url of a module whose default export is called with each connection. */
  readonly init: string | undefined
  /** How many statements stay prepared. */
  readonly cacheSize: number
  /** See `commitCells`. `undefined` in a process, which shares no memory with the program. */
  readonly cells: SharedArrayBuffer | undefined
  /** Whether replies name the tables that were written. */
  readonly trackWrites: boolean
}

/** A prepared statement with its properties. */
export interface Prepared {
  readonly statement: StatementSync
  /** Whether the statement has columns, and so rows. */
  readonly hasRows: boolean
  /** The tables that it writes, itself or by triggers. Empty without `trackWrites`. */
  writes: ReadonlyArray<string>
  /** It had few rows the last time: it is read in one call, which takes half as long as row by row. */
  hadFewRows: boolean
}

const none: ReadonlyArray<string> = []

export class Connection {
  readonly filename: string
  database: DatabaseSync
  readonly cells: Int32Array | undefined
  /** The tables written since this set was last cleared. */
  readonly written = new Set<string>()
  /** Statement caches: [0] integers as numbers, [1] as bigints. */
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

  /** Opens the database, and reopens it after a body closed it. */
  open(): DatabaseSync {
    const { filename, init, pragmas, readOnly, trackWrites } = this.options
    // No wait for a lock here: the program waits, without holding a thread.
    const database = new DatabaseSync(filename, { readOnly, timeout: 0 })
    try {
      for (const pragma of pragmas) database.exec(`PRAGMA ${pragma}`)
      if (init !== undefined) runInit(init, database)
      if (trackWrites) this.reportWrites(database)
    } catch (error) {
      database.close()
      throw error
    }
    for (const prepared of this.prepared) prepared.clear()
    this.beginStatement = this.commitStatement = undefined
    return this.database = database
  }

  /** Records the tables that a statement writes, when it is prepared. */
  private reportWrites(database: DatabaseSync): void {
    const writes = new Set<number>([constants.SQLITE_INSERT, constants.SQLITE_UPDATE, constants.SQLITE_DELETE])
    database.setAuthorizer((action, table) => {
      if (writes.has(action) && table !== null && !table.startsWith("sqlite_")) this.written.add(table)
      return constants.SQLITE_OK
    })
  }

  /** Returns the prepared statement from the cache, or prepares it. */
  prepare(sql: string, safeIntegers: boolean): Prepared {
    const prepared = this.prepared[safeIntegers ? 1 : 0]
    let found = prepared.get(sql)
    if (found === undefined) {
      found = this.prepareUncached(sql, safeIntegers)
      const oldest = prepared.size >= this.options.cacheSize ? prepared.keys().next().value : undefined
      if (oldest !== undefined) prepared.delete(oldest)
    } else {
      // Moves it to the end: the least recently used statement is dropped first.
      prepared.delete(sql)
    }
    if (this.options.cacheSize > 0) prepared.set(sql, found)
    return found
  }

  /** Prepares a statement for one use: a second run of a cached one would end its iterator. */
  prepareUncached(sql: string, safeIntegers: boolean): Prepared {
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

  /** Runs a statement, and records the tables that it writes, also through triggers that were created after it. */
  tracking<A>(prepared: Prepared, run: () => A): A {
    if (!this.options.trackWrites) return run()
    for (const table of prepared.writes) this.written.add(table)
    const known = this.written.size
    const result = run()
    if (this.written.size > known) prepared.writes = [...prepared.writes, ...[...this.written].slice(known)]
    return result
  }

  /** Returns and clears the tables that were written. */
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

  /** Rolls back an open transaction, also one that a body has begun. */
  rollback(): void {
    if (this.database.isTransaction) this.database.exec("ROLLBACK")
  }

  close(): void {
    for (const prepared of this.prepared) prepared.clear()
    this.database.close()
  }
}

const manyStatements = "Expected one statement, but the text goes on"

/** Whether a text contains more than blanks and comments. */
const hasStatement = (text: string): boolean =>
  text !== "" && text.replace(/--[^\n]*|\/\*[^]*?(\*\/|$)/g, "").replace(/[\s;]/g, "") !== ""

/**
 * Converts the parameters for the driver: it does not accept booleans, and would take a Date for an
 * object with named parameters.
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
      `Parameter ${i + 1} is ${kindOf(value)}, which SQLite cannot store: pass null, a number, a bigint, a string, ` +
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
    throw new TypeError(`init: the default export of ${url} is not a function`)
  }
  const returned: unknown = module.default(database)
  if (typeof returned === "object" && returned !== null && "then" in returned) {
    throw new TypeError(`init: the default export of ${url} is async, but must be synchronous`)
  }
}

const optionsOfThread = (): ConnectionOptions => {
  const options = Task.threadData<ConnectionOptions>()
  if (options === undefined) throw new Error("This is not a thread of a SqliteClient")
  return options
}

/** The connection of this thread, opened at the first use. */
export const connection: () => Connection = Task.threadLocal(() => {
  const options = optionsOfThread()
  const { cells, filename } = options
  if (isMemory(filename) && cells !== undefined && commitCells.wasOpened(new Int32Array(cells))) throw new Error(lost)
  return new Connection(options)
}, { release: (connection) => connection.close() })

/** Whether the database is in memory, and so is lost with its connection. */
export const isMemory = (filename: string): boolean => filename === ":memory:" || filename === ""

const lost = "The database in memory was lost, because its thread was terminated: let the body stop by itself " +
  "(Task.checkpoint), or use a file"

/** Connections of streams that have ended. */
const idle = Task.threadLocal<Array<Connection>>(() => [], {
  release: (connections) => {
    for (const connection of connections) connection.close()
  }
})

/** How many are kept for further streams. Arbitrary: a connection takes about 100 kB, and half a millisecond to open. */
const maxIdle = 2

/**
 * Takes a connection for a stream. An open stream keeps its connection at one snapshot, and other
 * reads on the thread must see the current state.
 */
export const lend = (): Connection =>
  idle().pop() ?? new Connection({ ...optionsOfThread(), readOnly: true, pragmas: [] })

export const giveBack = (connection: Connection): void => {
  if (idle().length < maxIdle) idle().push(connection)
  else connection.close()
}
