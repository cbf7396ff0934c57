/**
 * The wire form of loops, which run a task over many items: one run of the pool is a loop over some of them, in the
 * thread. These are its arguments and its result; an item that ends the loop is named by its index.
 *
 * Pool threads load this file: it imports nothing.
 */

/**
 * The way a loop collects the body's values: all; nothing; the items for which it is `true`; the first of
 * those; one value that passes from item to item; or, for a body that takes a range, the value of each call.
 */
export type LoopKind = "map" | "each" | "filter" | "find" | "fold" | "range"

/** The time limits of a loop. */
export interface LoopTimes {
  /** After this time it ends between two items, and reports its position. */
  readonly limitMillis: number
  /** Whether the time limit of the task restarts with each item. */
  readonly timed: boolean
}

/** Items that travel with the run; for a range, only their number. */
export type ChunkArguments = [
  first: number,
  items: ReadonlyArray<unknown> | number,
  times: LoopTimes,
  /** The initial value of a fold, in an array, or empty to begin with the first item; the shared values of a range. */
  extra: ReadonlyArray<unknown>,
  /** Whether the values of the items before a failure are wanted. */
  keeps: boolean
]

/** Items in shared memory, and a cursor from which each thread takes its next ones, for a slice of time. */
export type SliceArguments = [cursor: Int32Array, slice: Slice, extra: ReadonlyArray<unknown>]

export interface Slice extends LoopTimes {
  /** See `Bound` and `FirstLane`. */
  readonly state: Int32Array
  readonly lane: number
  /** How many lanes there are. */
  readonly lanes: number
  /** The items, if they are not their indices. */
  readonly numbers: Float64Array | undefined
  /** Where a map stores numbers … */
  readonly results: Float64Array | undefined
  /** … and where a map or a filter stores the kind of each item's value. */
  readonly kinds: Uint8Array | undefined
  /** How long the items that are taken at once should take. */
  readonly chunkMillis: number
  /** How many items are taken at once; 0 to decide by time. */
  readonly chunkSize: number
  /** The mean time of an item so far, 0 if unknown. */
  readonly meanMillis: number
}

/** Whether the arguments are those of a slice, which belong to the library and need no copy. */
export const isSlice = (args: ReadonlyArray<unknown>): boolean =>
  args[0] instanceof Int32Array && (args as SliceArguments)[2].length === 0

/** In the cursor: the next item that is not taken, and the end of the items. */
export const Next = 0
export const End = 1

/** In the state: items from here on no longer count, … */
export const Bound = 0
/** … and the current item of each lane. */
export const FirstLane = 1

// Taken before a body, which runs in the same thread, can replace them.
const { compareExchange, load } = Atomics

/** Items from `index` on no longer count. */
export const lowerBound = (state: Int32Array, index: number): void => {
  let bound = load(state, Bound)
  while (index < bound) {
    const seen = compareExchange(state, Bound, bound, index)
    if (seen === bound) return
    bound = seen
  }
}

/** The kinds of values of items. */
export const NotRun = 0
export const NumberKind = 1
export const TrueKind = 2
export const FalseKind = 3
export const NullKind = 4
export const UndefinedKind = 5
/** The value comes with the result of the slice. */
export const OtherKind = 6

export const kindOf = (value: unknown): number => {
  if (typeof value === "number") return NumberKind
  if (value === undefined) return UndefinedKind
  if (value === true) return TrueKind
  if (value === false) return FalseKind
  return value === null ? NullKind : OtherKind
}

/** The value of a kind that has only one. */
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
 * The result of a loop. For a chunk: how long the items took, how many were done, and their values. For a
 * slice also the indices of those items (for a fold or a range, the first index of each value), and the bounds
 * of the part that it has taken and not done. `isFirst` if it is the thread's first run of the loop, for which it
 * may have had to load a module.
 */
export type LoopValue = readonly [
  millis: number,
  done: number,
  value: unknown,
  indices?: ReadonlyArray<number> | undefined,
  rest?: readonly [start: number, end: number] | undefined,
  isFirst?: boolean
]

/** A failure or a panic of a loop: the index of the item, its error, and the values of the items before it, if wanted. */
export type ItemEnd = readonly [index: number, value: unknown, before: ReadonlyArray<unknown> | undefined]

/** A failure of the loop itself, or one injected by a test, belongs to no item: it is a table, which begins with a row, or no array. */
export const isItemEnd = (value: unknown): value is ItemEnd => Array.isArray(value) && typeof value[0] === "number"

const firsts = new WeakMap<object, number>()

/** Marks, in the thread, a value as that of a loop. */
export const asLoopValue = (value: LoopValue, first: number): LoopValue => {
  firsts.set(value, first)
  return value
}

/** Translates a path in the value of a loop to a path in an item; `undefined` if it is not in an item of a loop. */
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
