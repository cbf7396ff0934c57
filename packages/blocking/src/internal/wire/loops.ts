/**
 * How a task is run over many items: one run of the pool is a loop over some of them, in the
 * thread. Its arguments and its result are these, and an item that ends it is told by its index.
 *
 * Pool threads load this file: it imports nothing.
 */

/**
 * What a loop makes of what the body gives: all of it; nothing; which items it is `true` for; the first of
 * those; one value that goes from item to item; or, of a body that takes a range, what each call gives.
 */
export type LoopKind = "map" | "each" | "filter" | "find" | "fold" | "range"

/** How a loop keeps its time. */
export interface LoopTimes {
  /** It ends between two items when it has taken so long, and says how far it has come. */
  readonly limitMillis: number
  /** Whether the time limit of the task begins anew with each item. */
  readonly timed: boolean
}

/** Items that travel with the run: all that a chunk needs. For a range only how many there are. */
export type ChunkArguments = [
  first: number,
  items: ReadonlyArray<unknown> | number,
  times: LoopTimes,
  /** What a fold begins with, in an array, or empty to begin with the first item; what a range shares. */
  extra: ReadonlyArray<unknown>,
  /** Whether what the items before a failure gave is wanted. */
  keeps: boolean
]

/** Items in memory that all threads share, and a cursor from which each takes its next ones: a slice of time. */
export type SliceArguments = [cursor: Int32Array, slice: Slice, extra: ReadonlyArray<unknown>]

export interface Slice extends LoopTimes {
  /** See `Bound` and `FirstLane`. */
  readonly state: Int32Array
  readonly lane: number
  /** How many lanes there are. */
  readonly lanes: number
  /** The items, if they are not their indices. */
  readonly numbers: Float64Array | undefined
  /** Where a map leaves numbers … */
  readonly results: Float64Array | undefined
  /** … and it, or a filter, what each item gave: a kind. */
  readonly kinds: Uint8Array | undefined
  /** How long what is taken at once is meant to take. */
  readonly chunkMillis: number
  /** How many items are taken at once; 0 for what the time allows. */
  readonly chunkSize: number
  /** How long an item has taken before, 0 if that is not known. */
  readonly meanMillis: number
}

/** Whether nothing of the arguments is the program's: they need no copy. */
export const isSlice = (args: ReadonlyArray<unknown>): boolean =>
  args[0] instanceof Int32Array && (args as SliceArguments)[2].length === 0

/** In the cursor: the next item that nobody has taken, and where the items end. */
export const Next = 0
export const End = 1

/** In the state: no item from here on counts any more, … */
export const Bound = 0
/** … and the item that each lane is in. */
export const FirstLane = 1

// Taken before a body, which runs in the same thread, can replace them.
const { compareExchange, load } = Atomics

/** No item from that one on counts any more. */
export const lowerBound = (state: Int32Array, index: number): void => {
  let bound = load(state, Bound)
  while (index < bound) {
    const seen = compareExchange(state, Bound, bound, index)
    if (seen === bound) return
    bound = seen
  }
}

/** The kinds of what an item gave. */
export const NotRun = 0
export const NumberKind = 1
export const TrueKind = 2
export const FalseKind = 3
export const NullKind = 4
export const UndefinedKind = 5
/** It comes with the result of the slice. */
export const OtherKind = 6

export const kindOf = (value: unknown): number => {
  if (typeof value === "number") return NumberKind
  if (value === undefined) return UndefinedKind
  if (value === true) return TrueKind
  if (value === false) return FalseKind
  return value === null ? NullKind : OtherKind
}

/** The value of a kind that is neither a number nor another. */
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
 * What a loop gives. Of a chunk: how long the items took, how many were done, and what they gave. Of a
 * slice also to which items (or, of a fold and a range, to which beginnings) that belongs, and where the part
 * begins and ends that it has taken and left to others.
 */
export type LoopValue = readonly [
  millis: number,
  done: number,
  value: unknown,
  indices?: ReadonlyArray<number>,
  rest?: readonly [start: number, end: number] | undefined
]

/** In the place of a failure or a panic of a loop: of which item it is, and what those before it gave if that is wanted. */
export type ItemEnd = readonly [index: number, value: unknown, before: ReadonlyArray<unknown> | undefined]

/** A failure of the loop itself, or one that a test has planned, is of no item: it is a table, which begins with a row, or no array. */
export const isItemEnd = (value: unknown): value is ItemEnd => Array.isArray(value) && typeof value[0] === "number"

const firsts = new WeakMap<object, number>()

/** Remembers, in the thread, that a value is that of a loop. */
export const asLoopValue = (value: LoopValue, first: number): LoopValue => {
  firsts.set(value, first)
  return value
}

/** A place in the value of a loop, in terms of its items; `undefined` if the value is none, or the place in no item. */
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
