/** Items in shared memory: each thread takes its next items from a cursor, for a slice of time. */
import * as wire from "../wire/loops.ts"
import type { Part, Work } from "./loops.ts"

/**
 * How long a thread works before other tasks of the pool can run: at least the time of a few items, within
 * bounds. Measured: the round trip to the program costs about 0.3 ms of CPU time, 1.5 % of the shortest
 * slice.
 */
const minSliceMillis = 20
const maxSliceMillis = 100
const itemsOfSlice = 8

/** The intended time of the items taken at once. Arbitrary: taking items costs almost nothing. */
const chunkMillis = 0.5

/** The same for a fold or a range, where each chunk returns a value to be combined. */
const foldMillis = 4

const { load, store } = Atomics

interface SlicePart extends Part {
  readonly args: wire.SliceArguments
  readonly lane: number
  readonly source: Source
}

/** All items, or a rest that a run gave back. */
interface Source {
  readonly cursor: Int32Array
  /** The number of runs that take from it. */
  takers: number
}

export interface SliceOptions {
  readonly kind: wire.LoopKind
  readonly length: number
  readonly numbers: Float64Array | undefined
  readonly lanes: number
  readonly chunkSize: number | undefined
  readonly timed: boolean
  readonly extra: ReadonlyArray<unknown>
}

export class Slices implements Work<SlicePart> {
  /**
   * The results that are not numbers. `indices` has the item of each, or for a fold or range, the start of
   * its part.
   */
  readonly values: Array<unknown> = []
  readonly indices: Array<number> = []
  readonly results: Float64Array | undefined
  readonly kinds: Uint8Array | undefined
  private readonly sources: Array<Source>
  private readonly state: Int32Array
  private readonly freeLanes: Array<number>
  private meanMillis = 0
  private readonly options: SliceOptions

  constructor(options: SliceOptions) {
    const { kind, lanes, length } = options
    this.options = options
    this.state = new Int32Array(new SharedArrayBuffer(4 * (wire.FirstLane + lanes)))
    this.state[wire.Bound] = length
    this.freeLanes = Array.from({ length: lanes }, (_, lane) => lane)
    this.sources = [sourceOf(0, length)]
    if (kind === "map") this.results = new Float64Array(new SharedArrayBuffer(8 * length))
    if (kind === "map" || kind === "filter") this.kinds = new Uint8Array(new SharedArrayBuffer(length))
  }

  take(): SlicePart | undefined {
    const { chunkSize, extra, kind, lanes, numbers, timed } = this.options
    const bound = load(this.state, wire.Bound)
    // Returned ranges are pushed last but have lower indices, so search from the end.
    const source = this.sources.findLast(({ cursor, takers }) =>
      Math.min(load(cursor, wire.End), bound) - load(cursor, wire.Next) > takers
    )
    const lane = source && this.freeLanes.pop()
    if (lane === undefined) return undefined
    const { state } = this
    const first = load(source!.cursor, wire.Next)
    store(state, wire.FirstLane + lane, first)
    source!.takers++
    const slice: wire.Slice = {
      state,
      lane,
      lanes,
      numbers,
      results: this.results,
      kinds: this.kinds,
      limitMillis: Math.min(maxSliceMillis, Math.max(minSliceMillis, itemsOfSlice * this.meanMillis)),
      chunkMillis: kind === "fold" || kind === "range" ? foldMillis : chunkMillis,
      chunkSize: chunkSize ?? 0,
      meanMillis: this.meanMillis,
      timed
    }
    return {
      args: [source!.cursor, slice, extra],
      get first() {
        return load(state, wire.FirstLane + lane)
      },
      get last() {
        return this.first
      },
      lane,
      source: source!,
      isBeyond: (index) => load(state, wire.FirstLane + lane) > index
    }
  }

  putBack(part: SlicePart): void {
    this.onLost(part)
  }

  onLost({ lane, source }: SlicePart): void {
    source.takers--
    this.freeLanes.push(lane)
  }

  onDone(part: SlicePart, [millis, done, value, indices, rest]: wire.LoopValue): number | undefined {
    this.onLost(part)
    if (done > 0) this.meanMillis = millis / done
    if (rest !== undefined) this.sources.push(sourceOf(...rest))
    if (this.options.kind === "find") return (value as number) < 0 ? undefined : value as number
    const values = value as ReadonlyArray<unknown>
    for (let i = 0; i < values.length; i++) {
      this.values.push(values[i])
      this.indices.push(indices![i]!)
    }
    return undefined
  }

  endAt(index: number): void {
    wire.lowerBound(this.state, index)
  }
}

const sourceOf = (start: number, end: number): Source => {
  const cursor = new Int32Array(new SharedArrayBuffer(8))
  cursor[wire.Next] = start
  cursor[wire.End] = end
  return { cursor, takers: 0 }
}
