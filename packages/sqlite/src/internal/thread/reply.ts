/**
 * The messages to and from a connection's thread. They are made of numbers and arrays, which are
 * cheaper to send than objects.
 */

/** The values that SQLite stores. */
export type Value = null | number | bigint | string | Uint8Array

/** How a statement runs: one of the first three flags, with any of the others. */
export type Flags = number
/** Return rows as objects. */
export const Objects = 0
/** Return rows as arrays. */
export const Arrays = 1
/** Return rows if the statement has columns, and `Changes` otherwise. */
export const Raw = 2
export const wantMask = 3
/** Return integers as bigints. */
export const SafeIntegers = 4
/** Do not keep the statement prepared. */
export const Unprepared = 8
/** The statement belongs to a transaction, and must not run outside one. */
export const Inside = 16
/** Read all rows, and keep those beyond one message for `more`. */
export const Keep = 32

/** The most rows, values and bytes in one message: the event loop reads that much in a few milliseconds. */
export const maxRows = 1024
export const maxValues = 8 * maxRows
export const maxBytes = 256 * 1024

/** Rows in a message: each key once, and the values of all rows in one list. */
export interface Rows {
  readonly keys: ReadonlyArray<string>
  readonly values: ReadonlyArray<Value>
  readonly count: number
  /** The number under which the thread keeps the remaining rows; 0 if there are no more. */
  readonly rest: number
}

/** The changes by a statement without columns. */
export interface Changes {
  readonly changes: number | bigint
  readonly lastInsertRowid: number | bigint
}

/** `null` for a statement without columns when rows were asked for. */
export type Answer = Rows | Changes | null

export interface Statement {
  readonly sql: string
  readonly params: ReadonlyArray<unknown>
}

/** Statements in a message: each text, followed by the parameters of each run. */
export type Statements = ReadonlyArray<string | ReadonlyArray<unknown>>

/** The tag of a `Failure`. No error of a user has it. */
export const FailureTag = "@effect-blocking/sqlite/Failure"

/** Why a statement failed. */
export interface Failure {
  readonly _tag: typeof FailureTag
  readonly message: string
  /** SQLite's extended result code; `undefined` if the driver refused the call. */
  readonly errcode: number | undefined
  readonly code: string | undefined
  readonly stack: string | undefined
  /** The statement that failed, if the call had several. */
  readonly sql: string | undefined
}

/**
 * The outcome of a call, whether its connection is in a transaction afterwards, and the tables that
 * were written (only with `trackWrites`).
 */
export type Reply<A> =
  | readonly [status: typeof Succeeded, inTransaction: boolean, value: A, written: ReadonlyArray<string>]
  | readonly [status: typeof Failed, inTransaction: boolean, failure: Failure]
  /** The write was interrupted before its commit, and is rolled back. */
  | readonly [status: typeof Cancelled, inTransaction: boolean]
  /** One message cannot carry all rows: the program must stream them. */
  | readonly [status: typeof TooMany, inTransaction: boolean]

export const Succeeded = 0
export const Failed = 1
export const Cancelled = 2
export const TooMany = 3
