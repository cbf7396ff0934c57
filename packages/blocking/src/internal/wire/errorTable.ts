/**
 * The form in which errors, and the values that they hold, cross between threads. A structured
 * clone keeps only the name, message, stack and cause of an error, and it recurses: a chain of
 * some thousand causes is too deep for it. So they cross as a table with one row for each
 * object. Rows refer to each other by index: the table is flat, and keeps identity and cycles.
 *
 * Both sides import this file, and pool threads load it: it imports nothing at run time.
 */
import type { ErrorChain } from "./errorClasses.ts"

/** A primitive value as it is; an object as a `Table`, whose first row is the object. */
export type EncodedValue = unknown

export type Table = ReadonlyArray<Row>

/**
 * The objects that belong into a shell: `key, index` for each, flat. The shell has the key
 * already, which keeps the order of keys.
 */
export type Patches = Array<string | number>

/** The shell, once patched, is the value: an array, a plain object, or an object that a structured clone keeps as it is. */
export const Shell = 0
/** The shell is an object with the elements of an array with holes: a clone would pay for each hole. */
export const SparseRow = 1
/** The shell is an array of keys and values, in turn. */
export const MapRow = 2
/** The shell is an array of members. */
export const SetRow = 3
/** The shell is an array of the values of properties. */
export const ErrorRow = 4

export type Row =
  | readonly [kind: typeof Shell, shell: unknown, patches?: Patches]
  | readonly [kind: typeof SparseRow, shell: object, patches: Patches, length: number]
  | readonly [kind: typeof MapRow | typeof SetRow, shell: Array<unknown>, patches: Patches]
  | EncodedError

export type EncodedError = readonly [
  kind: typeof ErrorRow,
  shell: Array<unknown>,
  patches: Patches,
  chain: ErrorChain,
  /** Whether it is also an Effect, which can be yielded, as Effect's tagged errors are. */
  yieldable: boolean,
  /** The keys of the values: own keys in their order, then inherited ones. */
  keys: Array<string>,
  /** For each own key, the sum of its attributes below. */
  flags: Array<number>
]

export const Enumerable = 1
export const Writable = 2
export const Configurable = 4

/** Assignment that also works for a property called `__proto__`. */
export const setOwn = (target: object, key: string | number, value: unknown): void => {
  if (key === "__proto__") {
    Object.defineProperty(target, key, { value, enumerable: true, configurable: true, writable: true })
  } else {
    ;(target as Record<string | number, unknown>)[key] = value
  }
}
