/** Items that travel with their runs: in chunks, as long as the time that they take allows. */
import type { ChunkArguments, LoopTimes, LoopValue } from "../wire/loops.ts"
import { mayHoldStandIns } from "../wire/moved.ts"
import type { Part, Work } from "./loops.ts"

/**
 * How long a chunk is meant to take: long enough that a message is a hundredth of it, and short enough that
 * other tasks of the pool have their turn. Measured.
 */
const chunkMillis = 4

/** A chunk that takes so long gives back what is left of it. Arbitrary: items are of different lengths. */
const longMillis = 4 * chunkMillis

/** Items of a chunk at most: the program writes, and reads, so many objects in about a millisecond. */
const maxItems = 1024

/** Each chunk may be so many times as long as what is known. */
const growth = 16

interface Chunk extends Part {
  readonly args: ChunkArguments
  readonly end: number
}

/** How much to take at once. */
export class Pace {
  /** Milliseconds of an item; `undefined` while none was done. */
  private mean: number | undefined
  /** The most items that were done at once. */
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
    // A chunk of many more items says more than all before.
    this.mean = this.mean === undefined || done >= 4 * this.known ? mean : (this.mean + mean) / 2
    this.known = Math.max(this.known, done)
  }

  /** A chunk that is always as long gives nothing back: the same parts are always computed together. */
  times(timed: boolean): LoopTimes {
    return { limitMillis: this.fixed === undefined ? longMillis : Infinity, timed }
  }
}

/** Where it is kept what a part of the items gave: of a filter a flag for each, of others the values, or what was found. */
export interface Collector {
  /** Answers the index of the item that was found. */
  readonly onChunk: (first: number, value: unknown, indices: ReadonlyArray<number> | undefined) => number | undefined
}

export class Chunks implements Work<Chunk> {
  private next = 0
  /** What was begun, or taken, and is left: the first first. */
  private readonly left: Array<readonly [start: number, end: number]> = []
  private bound: number
  private readonly pace: Pace
  private readonly times: LoopTimes
  private readonly items: ReadonlyArray<unknown> | number
  private readonly extra: ReadonlyArray<unknown>
  private readonly collector: Collector

  /** `items`: of a range only how many there are. */
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
    // What is moved to a thread cannot be given back.
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
