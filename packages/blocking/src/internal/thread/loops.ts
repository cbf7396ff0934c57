/**
 * Loops: one run of a body over many items. Either a chunk of items comes with the run, or the run takes them
 * from shared memory, for a slice of time.
 *
 * Only threads that run loops load this file.
 */
import { compact } from "../wire/cloneable.ts"
import type { ThreadCodec } from "../wire/codec.ts"
import * as controlBlock from "../wire/controlBlock.ts"
import * as wire from "../wire/loops.ts"
import { ItemEnded } from "./outcome.ts"
import { StopRequested } from "./stops.ts"

// Taken before a body, which runs in the same thread, can replace them.
const { add, load } = Atomics

export interface LoopEnvironment {
  readonly now: () => number
  readonly control: controlBlock.ControlBlock
  /** Whether the run is asked to stop: checked before each item. */
  readonly isStopRequested: () => boolean
  /** The time limit restarts. */
  readonly onItem: (now: number) => void
}

type Body = (...args: Array<unknown>) => unknown

/** Stacks are cut at its name, as in `definitions.ts`. */
const effectBlockingBody = (body: Body, item: unknown): unknown => body(item)

const folding = (body: Body) => {
  const effectBlockingBody = (value: unknown, item: unknown): unknown => body(value, item)
  return effectBlockingBody
}

const ranging = (body: Body) => {
  const effectBlockingBody = (start: number, end: number, shared: ReadonlyArray<unknown>): unknown =>
    body(start, end, ...shared)
  return effectBlockingBody
}

/**
 * Makes a loop of a body: it takes `ChunkArguments` or `SliceArguments`, and returns a `LoopValue`. `isFirst` if
 * the thread has not run it before.
 */
export const loopOf = (
  kind: wire.LoopKind,
  body: Body,
  codec: ThreadCodec | undefined,
  environment: LoopEnvironment,
  isFirst: boolean
): (args: Array<unknown>) => wire.LoopValue => {
  const called = codec === undefined ? body : withCodec(kind, body, codec)
  return (args) => {
    const loop = new Loop(kind, called, environment, isFirst)
    isFirst = false
    try {
      return args[0] instanceof Int32Array
        ? loop.slice(args as wire.SliceArguments)
        : loop.chunk(args as wire.ChunkArguments)
    } finally {
      controlBlock.setItem(environment.control, -1)
    }
  }
}

/** Wraps a body with its codec. The result of a predicate stays in the loop, and is not encoded. */
const withCodec = (kind: wire.LoopKind, body: Body, { decodeArguments, encodeResult }: ThreadCodec): Body => {
  const stays = kind === "each" || kind === "filter" || kind === "find"
  return (item) => {
    const returned = body(...decodeArguments([item]))
    return stays && !isFailure(returned) ? returned : encodeResult(returned)
  }
}

const ResultTypeId = "~effect/Result"

const isResult = (value: unknown): value is { readonly _tag: string; readonly success: unknown } =>
  typeof value === "object" && value !== null && ResultTypeId in value

const isFailure = (value: unknown): boolean => isResult(value) && value._tag === "Failure"

const EffectTypeId = "~effect/Effect"

/** About how often the clock is read. Arbitrary: a read costs a thousandth of that. */
const clockMillis = 0.04

/** How many items may pass between two reads of the clock. Arbitrary. */
const maxUntilClock = 1024

/** How many values a slice may return: the program can take about a thousand at once. */
const maxOthers = 1024

/** The first part is one item; each next part may be this many times as long as the last. */
const growth = 16

class Loop {
  /** The values of the items that are done, and their indices; not used by every kind of loop. */
  private readonly values: Array<unknown> = []
  private readonly indices: Array<number> = []
  private found = -1
  private folded: unknown
  private hasFolded = false
  /** Items until the next read of the clock, and items between two reads. */
  private untilClock = 1
  private every = 1
  private clockReadAt = 0
  private times: wire.LoopTimes | undefined
  private keeps = false
  private slicing: wire.Slice | undefined

  private readonly kind: wire.LoopKind
  private readonly body: Body
  private readonly environment: LoopEnvironment
  private readonly isFirst: boolean
  private readonly fold: ReturnType<typeof folding>
  private readonly range: ReturnType<typeof ranging>

  constructor(kind: wire.LoopKind, body: Body, environment: LoopEnvironment, isFirst: boolean) {
    this.kind = kind
    this.body = body
    this.environment = environment
    this.isFirst = isFirst
    this.fold = folding(body)
    this.range = ranging(body)
  }

  // ---------------------------------------------------------------------------
  // Chunks
  // ---------------------------------------------------------------------------

  chunk([first, items, times, extra, keeps]: wire.ChunkArguments): wire.LoopValue {
    const { kind } = this
    const startedAt = this.begin(times)
    this.keeps = keeps
    if (typeof items === "number") {
      this.call(first, first + items, extra)
      return this.valueOf(startedAt, items, first, undefined)
    }
    const endAt = startedAt + times.limitMillis
    const flags = kind === "filter" ? new Uint8Array(items.length) : undefined
    if (kind === "fold" && extra.length > 0) this.startFold(extra[0])
    let i = 0
    while (i < items.length) {
      const index = first + i
      this.enter(index)
      const value = this.give(index, items[i])
      i++
      if (kind === "map") this.values.push(value)
      else if (flags !== undefined) flags[i - 1] = value === true ? 1 : 0
      else if (kind === "find" && value === true) {
        this.found = index
        break
      }
      if (this.isClockDue() && this.readClock() >= endAt) break
    }
    return this.valueOf(startedAt, i, first, flags)
  }

  private given(flags: Uint8Array | undefined): unknown {
    switch (this.kind) {
      case "map":
        return numbersOf(this.values) ?? this.values
      case "filter":
        return flags
      case "find":
        return this.found
      case "fold":
        return [this.folded]
      case "each":
        return undefined
      case "range":
        return this.values
    }
  }

  /** The first item that one value stands for. */
  private where(first: number): ReadonlyArray<number> | undefined {
    return this.kind === "fold" ? [first] : this.kind === "range" ? this.indices : undefined
  }

  private valueOf(startedAt: number, done: number, first: number, flags: Uint8Array | undefined): wire.LoopValue {
    const millis = this.environment.now() - startedAt
    return wire.asLoopValue([millis, done, this.given(flags), this.where(first), undefined, this.isFirst], first)
  }

  // ---------------------------------------------------------------------------
  // Slices
  // ---------------------------------------------------------------------------

  slice([cursor, slice, extra]: wire.SliceArguments): wire.LoopValue {
    const { environment, kind } = this
    const { chunkMillis, chunkSize, lanes, limitMillis, state } = slice
    this.slicing = slice
    const startedAt = this.begin(slice)
    let { meanMillis } = slice
    // The number of items from which the mean time is known.
    let known = meanMillis > 0 ? Infinity : 0
    let done = 0
    let millis = 0
    let rest: readonly [number, number] | undefined
    let now = startedAt
    while (true) {
      const end = Math.min(load(cursor, wire.End), load(state, wire.Bound))
      const left = end - load(cursor, wire.Next)
      if (left <= 0) break
      const guided = Math.ceil(left / (2 * lanes))
      const size = chunkSize > 0 ? chunkSize : Math.max(
        1,
        Math.min(guided, Math.max(1, known * growth), meanMillis > 0 ? Math.floor(chunkMillis / meanMillis) : Infinity)
      )
      const start = add(cursor, wire.Next, size)
      const partEnd = Math.min(start + size, end)
      if (start >= partEnd) break
      const from = now
      if (slice.timed && kind === "range") environment.onItem(now)
      const reached = this.part(start, partEnd, extra, chunkSize > 0 ? Infinity : from + limitMillis)
      now = environment.now()
      done += reached - start
      millis += now - from
      const mean = (now - from) / Math.max(1, reached - start)
      // A part with many more items outweighs all before.
      meanMillis = meanMillis === 0 || reached - start >= 4 * known ? mean : (meanMillis + mean) / 2
      known = Math.max(reached - start, 1)
      if (this.found >= 0) break
      if (reached < partEnd) {
        if (reached < load(state, wire.Bound)) rest = [reached, partEnd]
        break
      }
      if (now - startedAt >= limitMillis || this.values.length >= maxOthers) break
    }
    const value = kind === "find" ? this.found : this.values
    return wire.asLoopValue([millis, done, value, this.indices, rest, this.isFirst], 0)
  }

  /** Runs the items of a part; returns where it ended. */
  private part(start: number, end: number, extra: ReadonlyArray<unknown>, until: number): number {
    const { kind, slicing } = this
    const { kinds, numbers, results, state } = slicing!
    if (kind === "range") {
      this.enter(start)
      this.call(start, end, extra)
      return end
    }
    if (kind === "fold" && extra.length > 0) this.startFold(extra[0])
    let index = start
    while (index < end && index < load(state, wire.Bound)) {
      this.enter(index)
      const value = this.give(index, numbers === undefined ? index : numbers[index])
      if (kind === "map") {
        const valueKind = wire.kindOf(value)
        kinds![index] = valueKind
        if (valueKind === wire.NumberKind) results![index] = value as number
        else if (valueKind === wire.OtherKind) {
          this.values.push(value)
          this.indices.push(index)
        }
      } else if (kind === "filter") {
        kinds![index] = value === true ? wire.TrueKind : wire.FalseKind
      } else if (kind === "find" && value === true) {
        this.found = index
        wire.lowerBound(state, index)
        return index + 1
      }
      index++
      if ((this.isClockDue() && this.readClock() >= until) || this.values.length >= maxOthers) break
    }
    if (kind === "fold" && index > start) {
      this.values.push(this.folded)
      this.indices.push(start)
      this.hasFolded = false
    }
    return index
  }

  // ---------------------------------------------------------------------------
  // Items
  // ---------------------------------------------------------------------------

  private begin(times: wire.LoopTimes): number {
    this.times = times
    return this.clockReadAt = this.environment.now()
  }

  /** Records the current item for the scheduler. */
  private enter(index: number): void {
    if (this.environment.isStopRequested()) throw new StopRequested()
    controlBlock.setItem(this.environment.control, index)
    const { slicing } = this
    // Not atomic, which would cost more than the rest: it is read when the thread has failed, or long after.
    if (slicing !== undefined) slicing.state[wire.FirstLane + slicing.lane] = index
  }

  private startFold(initial: unknown): void {
    this.folded = fresh(initial)
    this.hasFolded = true
  }

  /** Runs the body for an item; returns its value, without its `Result`. */
  private give(index: number, item: unknown): unknown {
    let returned: unknown
    try {
      if (this.kind !== "fold") {
        returned = effectBlockingBody(this.body, item)
      } else if (this.hasFolded) {
        returned = this.fold(this.folded, item)
      } else {
        this.hasFolded = true
        return this.folded = item
      }
    } catch (thrown) {
      throw this.ended(index, { thrown })
    }
    if (typeof returned === "object" && returned !== null) returned = this.taken(index, returned)
    if (this.kind === "fold") this.folded = returned
    return returned
  }

  /** Runs the body for a range. */
  private call(start: number, end: number, shared: ReadonlyArray<unknown>): void {
    let returned: unknown
    try {
      returned = this.range(start, end, shared)
    } catch (thrown) {
      throw this.ended(start, { thrown })
    }
    if (typeof returned === "object" && returned !== null) returned = this.taken(start, returned)
    if (returned === undefined) return
    this.values.push(returned)
    this.indices.push(start)
  }

  /** The value of a returned object; ends the loop if that is a failure. */
  private taken(index: number, returned: object): unknown {
    let end: ItemEnded["end"] | undefined
    try {
      if (!isResult(returned)) {
        // The check of an Effect reports that it cannot be sent.
        if (!(EffectTypeId in returned) || returned instanceof Error) return compact(returned)
      } else if (returned._tag !== "Failure") {
        return compact(returned.success)
      }
    } catch (thrown) {
      // The object cannot be read.
      end = { thrown }
    }
    throw this.ended(index, end ?? { returned })
  }

  /** Ends the loop at an item: later items no longer count. */
  private ended(index: number, end: ItemEnded["end"]): ItemEnded {
    if (this.slicing !== undefined && !("thrown" in end && this.environment.isStopRequested())) {
      wire.lowerBound(this.slicing.state, index)
    }
    return new ItemEnded(index, end, this.keeps ? this.values : undefined)
  }

  private isClockDue(): boolean {
    return --this.untilClock <= 0
  }

  /** Reads the clock; adapts the number of items between two reads to their length. */
  private readClock(): number {
    const now = this.environment.now()
    if (this.times!.timed) {
      this.environment.onItem(now)
    } else {
      const passed = now - this.clockReadAt
      if (passed < clockMillis / 2) this.every = Math.min(this.every * 2, maxUntilClock)
      else if (passed > clockMillis * 2) this.every = Math.max(1, Math.floor(this.every * clockMillis / passed))
    }
    this.clockReadAt = now
    this.untilClock = this.every
    return now
  }
}

/** A fold may change its initial value: each fold gets its own copy. */
const fresh = (value: unknown): unknown => typeof value === "object" && value !== null ? structuredClone(value) : value

declare const structuredClone: (value: unknown) => unknown

/** The values in one array, if all are numbers. */
const numbersOf = (values: ReadonlyArray<unknown>): Float64Array | undefined => {
  for (let i = 0; i < values.length; i++) if (typeof values[i] !== "number") return undefined
  return Float64Array.from(values as ReadonlyArray<number>)
}
