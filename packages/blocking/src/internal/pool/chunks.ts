/** Items sent with their runs, in chunks sized by the time that the items take. */
import type { ChunkArguments, LoopTimes, LoopValue } from "../wire/loops.ts"
import { mayHoldStandIns } from "../wire/moved.ts"
import type { Part, Work } from "./loops.ts"

/**
 * The intended time of a chunk. Measured: long enough that a message costs a hundredth of it, and short
 * enough that other tasks of the pool can run in between.
 */
const chunkMillis = 4

/** A chunk that takes longer gives back its remaining items. Arbitrary: it allows for items of different lengths. */
const longMillis = 4 * chunkMillis

/** The maximum number of items in a chunk: the program writes or reads this many objects in about a millisecond. */
const maxItems = 1024

/** A chunk may have this many times the items of the largest finished chunk. */
const growth = 16

interface Chunk extends Part {
  readonly args: ChunkArguments
  readonly end: number
}

/** Decides how many items to take at once. */
export class Pace {
  /** The mean time of an item in milliseconds; `undefined` before the first result. */
  private mean: number | undefined
  /** The most items finished in one chunk. */
  private known = 0
  private readonly lanes: number
  private readonly fixed: number | undefined

  constructor(lanes: number, fixed: number | undefined) {
    this.lanes = lanes
    this.fixed = fixed
  }

  size(left: number, most: number): number {
    if (this.fixed !== undefined) return this.fixed
    const byTime = this.mean === undefined || this.mean === 0 ? Infinity : Math.floor(chunkMillis / this.mean)
    return Math.max(1, Math.min(byTime, Math.max(1, this.known * growth), Math.ceil(left / (2 * this.lanes)), most))
  }

  learn(millis: number, done: number): void {
    const mean = millis / Math.max(1, done)
    // A chunk with many more items than before is a better sample than the mean so far.
    this.mean = this.mean === undefined || done >= 4 * this.known ? mean : (this.mean + mean) / 2
    this.known = Math.max(this.known, done)
  }

  /** Chunks of a fixed size give nothing back, so the same items are always computed together. */
  times(timed: boolean): LoopTimes {
    return { limitMillis: this.fixed === undefined ? longMillis : Infinity, timed }
  }
}

/** Receives the results of a chunk: flags for a filter, the index found for a find, otherwise values. */
export interface Collector {
  /** Returns the index of the item found, if any. */
  readonly onChunk: (first: number, value: unknown, indices: ReadonlyArray<number> | undefined) => number | undefined
}

export class Chunks implements Work<Chunk> {
  private next = 0
  /** Ranges that were taken but not finished, in order. */
  private readonly left: Array<readonly [start: number, end: number]> = []
  private bound: number
  private readonly pace: Pace
  private readonly times: LoopTimes
  private readonly items: ReadonlyArray<unknown> | number
  private readonly extra: ReadonlyArray<unknown>
  private readonly collector: Collector

  /** `items`: for a range, only its length. */
  constructor(
    items: ReadonlyArray<unknown> | number,
    extra: ReadonlyArray<unknown>,
    pace: Pace,
    timed: boolean,
    collector: Collector
  ) {
    this.items = items
    this.bound = typeof items === "number" ? items : items.length
    this.extra = extra
    this.pace = pace
    this.times = pace.times(timed)
    this.collector = collector
  }

  take(): Chunk | undefined {
    const given = this.left.shift()
    const start = given === undefined ? this.next : given[0]
    if (start >= this.bound) {
      this.left.length = 0
      return undefined
    }
    const limit = Math.min(given === undefined ? this.bound : given[1], this.bound)
    const most = typeof this.items === "number" ? Infinity : maxItems
    const end = Math.min(start + this.pace.size(this.bound - start, most), limit)
    if (given === undefined) this.next = end
    else if (end < limit) this.left.unshift([end, limit])
    const items = typeof this.items === "number" ? end - start : this.items.slice(start, end)
    // Moved items cannot be given back.
    return {
      args: [
        start,
        items,
        mayHoldStandIns(items) ? { ...this.times, limitMillis: Infinity } : this.times,
        this.extra,
        false
      ],
      first: start,
      last: end - 1,
      end,
      isBeyond: (index) => start > index
    }
  }

  putBack({ end, first }: Chunk): void {
    this.giveBack(first, end)
  }

  onLost(): void {}

  private giveBack(start: number, end: number): void {
    this.left.push([start, end])
    this.left.sort(([a], [b]) => a - b)
  }

  onDone({ end, first }: Chunk, [millis, done, value, indices]: LoopValue): number | undefined {
    this.pace.learn(millis, done)
    const found = this.collector.onChunk(first, value, indices)
    if (found === undefined && first + done < end) this.giveBack(first + done, end)
    return found
  }

  endAt(index: number): void {
    this.bound = Math.min(this.bound, index)
  }
}
