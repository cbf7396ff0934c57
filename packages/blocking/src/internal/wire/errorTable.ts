/**
 * The form in which errors, and the values in them, cross between threads. A structured clone
 * keeps only the name, message, stack and cause of an error, and it recurses: a chain of a few
 * thousand causes is too deep for it. So they cross as a table with a row for each
 * object, in which objects refer to each other by index: flat, and with the
 * original identities and cycles.
 *
 * Both sides import this file, and pool threads load it: it imports nothing at run time.
 */
import type { ErrorChain } from "./errorClasses.ts"

/** A primitive as it is; anything else as a `Table`, whose first row is the value. */
export type EncodedValue = unknown

export type Table = ReadonlyArray<Row>

/**
 * References to fill in after decoding, as flat `key, index` pairs. The shell already has the keys, in
 * their order.
 */
export type Patches = Array<string | number>

/** The shell is the value, once it is patched: an array, a plain object, or an object that a structured clone preserves. */
export const Shell = 0
/** The shell is an object with the elements of an array with holes: a clone would pay for each hole. */
export const SparseRow = 1
/** The shell is an array of alternating keys and values. */
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
  /** Whether it is also an Effect, as Effect's tagged errors are, and can be yielded. */
  yieldable: boolean,
  /** The keys of the values: own ones in their order, then those defined by its classes. */
  keys: Array<string>,
  /** For each own key the sum of its flags. */
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
