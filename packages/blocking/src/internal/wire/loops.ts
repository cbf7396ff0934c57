/**
 * The arguments and results of a task that runs over many items. One run in the pool is a loop,
 * in the thread, over some of the items. An item that ends the loop is named by its index.
 *
 * Pool threads load this file: it imports nothing.
 */

/**
 * The result that a loop makes from those of the body: all results; nothing; the items for which the body
 * returns `true`; the first such item; one value passed from item to item; or, for a body that takes a range,
 * the result of each call.
 */
export type LoopKind = "map" | "each" | "filter" | "find" | "fold" | "range"

/** The time limits of a loop. */
export interface LoopTimes {
  /** After this time the loop ends between two items, and reports how far it has come. */
  readonly limitMillis: number
  /** Whether the time limit of the task starts again with each item. */
  readonly timed: boolean
}

/** The arguments of a chunk: its items are sent with the run. For a range, only their number. */
export type ChunkArguments = [
  first: number,
  items: ReadonlyArray<unknown> | number,
  times: LoopTimes,
  /** For a fold, its initial value in an array, or an empty array to start with the first item; for a range, its shared values. */
  extra: ReadonlyArray<unknown>,
  /** Whether the results of the items before a failure are kept. */
  keeps: boolean
]

/** The arguments of a slice of time: the items are in memory that all threads share, and each thread takes its next ones from the cursor. */
export type SliceArguments = [cursor: Int32Array, slice: Slice, extra: ReadonlyArray<unknown>]

export interface Slice extends LoopTimes {
  /** See `Bound` and `FirstLane`. */
  readonly state: Int32Array
  readonly lane: number
  /** The number of lanes. */
  readonly lanes: number
  /** The items; `undefined` if they are the indices. */
  readonly numbers: Float64Array | undefined
  /** The results of a map that are numbers … */
  readonly results: Float64Array | undefined
  /** … and the kind of each result of a map or a filter. */
  readonly kinds: Uint8Array | undefined
  /** The time that the items taken at once should need. */
  readonly chunkMillis: number
  /** The number of items taken at once; 0 to choose it by `chunkMillis`. */
  readonly chunkSize: number
  /** The time that an item has taken so far, 0 if that is not known. */
  readonly meanMillis: number
}

/** Whether the arguments are those of a slice and hold no value of the program: they need no copy. */
export const isSlice = (args: ReadonlyArray<unknown>): boolean =>
  args[0] instanceof Int32Array && (args as SliceArguments)[2].length === 0

/** In the cursor: the first item that is not taken, and the end of the items. */
export const Next = 0
export const End = 1

/** In the state: the index from which on items no longer count … */
export const Bound = 0
/** … and the current item of each lane. */
export const FirstLane = 1

// Taken before a body, which runs in the same thread, can replace them.
const { compareExchange, load } = Atomics

/** Lowers the bound to an index: items from there on no longer count. */
export const lowerBound = (state: Int32Array, index: number): void => {
  let bound = load(state, Bound)
  while (index < bound) {
    const seen = compareExchange(state, Bound, bound, index)
    if (seen === bound) return
    bound = seen
  }
}

/** The kinds of an item's result. */
export const NotRun = 0
export const NumberKind = 1
export const TrueKind = 2
export const FalseKind = 3
export const NullKind = 4
export const UndefinedKind = 5
/** The result comes with that of the slice. */
export const OtherKind = 6

export const kindOf = (value: unknown): number => {
  if (typeof value === "number") return NumberKind
  if (value === undefined) return UndefinedKind
  if (value === true) return TrueKind
  if (value === false) return FalseKind
  return value === null ? NullKind : OtherKind
}

/** The value of a kind, except for `NumberKind` and `OtherKind`. */
export const constantOf = (kind: number): boolean | null | undefined => {
  switch (kind) {
    case TrueKind:
      return true
    case FalseKind:
      return false
    case NullKind:
      return null
    default:
      return undefined
  }
}

/**
 * The result of a loop. For a chunk: the time of its items, their number, and their results. For a slice
 * also the items that the results belong to (for a fold and a range, the starts of their parts), and the
 * range that the slice has taken and left to others.
 */
export type LoopValue = readonly [
  millis: number,
  done: number,
  value: unknown,
  indices?: ReadonlyArray<number>,
  rest?: readonly [start: number, end: number] | undefined
]

/** In place of a failure or a panic in a loop: the index of its item, the value, and, if they are kept, the results of the items before. */
export type ItemEnd = readonly [index: number, value: unknown, before: ReadonlyArray<unknown> | undefined]

/** A failure of the loop itself, or one that a test injects, belongs to no item: it is a table, which begins with a row, or not an array. */
export const isItemEnd = (value: unknown): value is ItemEnd => Array.isArray(value) && typeof value[0] === "number"

const firsts = new WeakMap<object, number>()

/** Marks a value, in the thread, as the result of a loop. */
export const asLoopValue = (value: LoopValue, first: number): LoopValue => {
  firsts.set(value, first)
  return value
}

/** Translates a path in the result of a loop to one in an item; `undefined` if the value is not a loop's, or the path not in an item. */
export const placeInLoop = (
  value: unknown,
  path: string
): { readonly path: string; readonly item: number } | undefined => {
  if (typeof value !== "object" || value === null || !firsts.has(value)) return undefined
  const found = /^result\[2\](?:\[(\d+)\])?/.exec(path)
  if (found === null) return undefined
  const [whole, at = "0"] = found
  const indices = (value as LoopValue)[3]
  const item = indices === undefined ? firsts.get(value)! + Number(at) : indices[Number(at)]!
  return { path: `results[${item}]${path.slice(whole.length)}`, item }
}
