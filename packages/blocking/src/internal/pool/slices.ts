/** Items in memory that all threads share: each takes its next ones by itself, for a slice of time. */
import * as wire from "../wire/loops.ts"
import type { Part, Work } from "./loops.ts"

/**
 * How long a thread goes on before other tasks of the pool have their turn: for some items at least, within bounds.
 * Measured: the way to the program and back costs some 0.3 ms of processor time, which is 1.5 % of the shortest slice.
 */
const minSliceMillis = 20
const maxSliceMillis = 100
const itemsOfSlice = 8

/** How long what is taken at once is meant to take. Arbitrary: taking costs nothing to speak of. */
const chunkMillis = 0.5

/** … if each gives a value that has to be put together with the others. */
const foldMillis = 4

const { load, store } = Atomics

interface SlicePart extends Part {
  readonly args: wire.SliceArguments
  readonly lane: number
  readonly source: Source
}

/** All items, or some that were taken and left. */
interface Source {
  readonly cursor: Int32Array
  /** How many runs take from it. */
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
  /** What the items gave that is no number: `indices` says which, or where what was put together begins. */
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
    // What was left is behind what nobody has taken, and lies before it.
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
