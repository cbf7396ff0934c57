/** What a connection's thread is asked, and what it answers. Numbers and arrays, because they cross cheaper than objects. */

/** What SQLite stores. */
export type Value = null | number | bigint | string | Uint8Array

/** How a statement is run: one of the first three, and any of the others, in one number. */
export type Flags = number
/** Rows are wanted, as objects. */
export const Objects = 0
/** Rows are wanted, as arrays. */
export const Arrays = 1
/** Rows are wanted of a statement that has columns, and otherwise what it has changed. */
export const Raw = 2
export const wantMask = 3
/** Integers are bigints. */
export const SafeIntegers = 4
/** The statement does not stay prepared. */
export const Unprepared = 8
/** It belongs to a transaction, and must not run outside of one. */
export const Inside = 16
/** All rows are read, however many they are; what is behind `maxRows` is kept for `more`. */
export const Keep = 32

/** The most rows, values, and bytes of one message: the event loop reads so many in a few milliseconds. */
export const maxRows = 1024
export const maxValues = 8 * maxRows
export const maxBytes = 256 * 1024

/** Rows as they cross: each key once, and the values of all rows in one list. */
export interface Rows {
  readonly keys: ReadonlyArray<string>
  readonly values: ReadonlyArray<Value>
  readonly count: number
  /** Under which number the thread keeps the rows that follow; 0: there are none. */
  readonly rest: number
}

/** What a statement without columns has changed. */
export interface Changes {
  readonly changes: number | bigint
  readonly lastInsertRowid: number | bigint
}

/** `null`: no rows, of a statement that has no columns. */
export type Answer = Rows | Changes | null

export interface Statement {
  readonly sql: string
  readonly params: ReadonlyArray<unknown>
}

/** Statements as they cross: each text once, and behind it the parameters of each run of it. */
export type Statements = ReadonlyArray<string | ReadonlyArray<unknown>>

/** No error of a user has it. */
export const FailureTag = "@effect-blocking/sqlite/Failure"

/** Why a statement has failed. */
export interface Failure {
  readonly _tag: typeof FailureTag
  readonly message: string
  /** SQLite's extended result code; `undefined`: the driver has refused the call. */
  readonly errcode: number | undefined
  readonly code: string | undefined
  readonly stack: string | undefined
  /** The statement, if the call had several. */
  readonly sql: string | undefined
}

/**
 * How one call of a connection ended, whether its connection is in a transaction behind it, and
 * which tables were written, if that is asked for.
 */
export type Reply<A> =
  | readonly [status: typeof Succeeded, inTransaction: boolean, value: A, written: ReadonlyArray<string>]
  | readonly [status: typeof Failed, inTransaction: boolean, failure: Failure]
  /** The program has given the write up before it was committed: it is rolled back. */
  | readonly [status: typeof Cancelled, inTransaction: boolean]
  /** There are more rows than one message carries, and they are to be streamed. */
  | readonly [status: typeof TooMany, inTransaction: boolean]

export const Succeeded = 0
export const Failed = 1
export const Cancelled = 2
export const TooMany = 3
