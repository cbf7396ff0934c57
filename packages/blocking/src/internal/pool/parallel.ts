/** One computation over many items: chooses how items are sent, and assembles the results of the parts. */
import * as Clock from "effect/Clock"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import { Blocking, type Pool, type PoolStats } from "../../Blocking.ts"
import { isJoinError, JoinError } from "../../JoinError.ts"
import type { Options } from "../../Parallel.ts"
import type { Task } from "../../Task.ts"
import { loopTask } from "../task/loops.ts"
import { describe } from "../wire/cloneable.ts"
import * as wire from "../wire/loops.ts"
import { Chunks, type Collector, Pace } from "./chunks.ts"
import { drive, makeReport, nowOf, type Report } from "./loops.ts"
import { Slices } from "./slices.ts"

/** The operation to perform. */
export interface Job<Args extends ReadonlyArray<unknown>, A, E, R, Self> {
  /** The name of the function that the program called. */
  readonly called: string
  readonly kind: wire.LoopKind
  readonly task: Task<Args, A, E, R>
  /** For a range, only its length. */
  readonly items: ReadonlyArray<unknown> | number
  readonly extra: ReadonlyArray<unknown>
  readonly options: Options<Self> | undefined
  /** Whether any match is accepted, not only the first by index. */
  readonly any?: boolean
  /** The call site. */
  readonly site: Error
}

/** Results copied before yielding to the event loop. Measured: about a millisecond. */
const copiedAtOnce = 2 ** 16

/** The results of the items, each at its index. */
export class Gathered implements Collector {
  /** For a map. */
  readonly results: Array<unknown>
  /** For a filter: 1 for each item kept. */
  readonly kept: Uint8Array
  /** For a fold or a range: the start and the value of each part. */
  readonly parts: Array<readonly [start: number, value: unknown]> = []
  found: number | undefined
  private readonly kind: wire.LoopKind

  constructor(kind: wire.LoopKind, length: number) {
    this.kind = kind
    this.results = kind === "map" ? new Array<unknown>(length) : []
    this.kept = new Uint8Array(kind === "filter" ? length : 0)
  }

  readonly onChunk = (
    first: number,
    value: unknown,
    indices: ReadonlyArray<number> | undefined
  ): number | undefined => {
    const { kind, results } = this
    if (kind === "find") return (value as number) < 0 ? undefined : value as number
    if (kind === "filter") this.kept.set(value as Uint8Array, first)
    if (kind === "map") {
      const values = value as ReadonlyArray<unknown>
      for (let i = 0; i < values.length; i++) results[first + i] = values[i]
    }
    if (indices !== undefined) indices.forEach((start, i) => this.parts.push([start, (value as Array<unknown>)[i]]))
    return undefined
  }

  /** Copies the results in shared memory and those sent with the slices. Yields to the event loop in between. */
  readonly take = Effect.fnUntraced(
    { self: this },
    function*(this: Gathered, { indices, kinds, results: numbers, values }: Slices) {
      const { kept, kind, parts, results } = this
      const length = Math.max(kept.length, results.length)
      for (let start = 0; start < length; start += copiedAtOnce) {
        if (start > 0) yield* Effect.yieldNow
        const end = Math.min(start + copiedAtOnce, length)
        for (let i = start; i < end; i++) {
          const found = kinds![i]!
          if (kind === "filter") kept[i] = found === wire.TrueKind ? 1 : 0
          else results[i] = found === wire.NumberKind ? numbers![i] : wire.constantOf(found)
        }
      }
      for (let i = 0; i < indices.length; i++) {
        if (kind === "map") results[indices[i]!] = values[i]
        else parts.push([indices[i]!, values[i]])
      }
    }
  )

  /** The values of the parts, in order. */
  get inOrder(): Array<unknown> {
    return this.parts.sort(([a], [b]) => a - b).map(([, value]) => value)
  }
}

/** Keeps indices within an Int32, with a margin. */
const maxLength = 2 ** 30

/** Performs the job on its pool. */
export const gather = <Args extends ReadonlyArray<unknown>, A, E, R, Self = Blocking>(
  job: Job<Args, A, E, R, Self>
): Effect.Effect<Gathered, E | JoinError, R | Self> =>
  Effect.flatMap(poolOf(job.options), (pool) =>
    Effect.flatMap(pool.stats, (stats) => {
      const lanes = lanesOf(job.called, job.options, stats)
      const chunkSize = chunkSizeOf(job.called, job.options)
      const report = makeReport()
      // CPU time, because on a busy machine a plain loop would wait as well. It is not known for pool
      // processes.
      const cpu = stats.sharesMemory ? cpuMillis() : -Infinity
      return Effect.tap(
        gatherOn(pool, stats, job, lanes, chunkSize, report),
        () => warnIfSlower(job, pool, stats, lanes, report, cpu)
      )
    }))

const gatherOn = <Args extends ReadonlyArray<unknown>, A, E, R, Self>(
  pool: Pool,
  stats: PoolStats,
  { any = false, extra, items, kind, task }: Job<Args, A, E, R, Self>,
  lanes: number,
  chunkSize: number | undefined,
  report: Report
): Effect.Effect<Gathered, E | JoinError, R> =>
  Effect.suspend(() => {
    const length = typeof items === "number" ? items : items.length
    const gathered = new Gathered(kind, length)
    const loop = loopTask(task, kind)
    const timed = task.options.timeLimit !== undefined
    const isShared = stats.sharesMemory && task.schemas === undefined && length <= maxLength
    const numbers = isShared && typeof items !== "number" ? numbersOf(items) : undefined
    if (isShared && (typeof items === "number" || numbers !== undefined)) {
      const slices = new Slices({ kind, length, numbers, lanes, chunkSize, timed, extra })
      return Effect.flatMap(drive(pool, loop, slices, lanes, any, report), (found) => {
        gathered.found = found
        return Effect.as(gathered.take(slices), gathered)
      })
    }
    const pace = new Pace(lanes, chunkSize)
    const chunks = new Chunks(items, extra, pace, timed, gathered)
    // With all threads of the pool in use, the next chunks are encoded while the threads are busy.
    const ahead = lanes === stats.maxThreads ? 2 * lanes : lanes
    return Effect.map(drive(pool, loop, chunks, ahead, any, report), (found) => {
      gathered.found = found
      return gathered
    })
  })

/** The number of partial values combined in one run. It is fixed, so the same values are always combined together. */
const combinedAtOnce = 32

/** Combines the values of a fold on the pool, in order, until one is left. */
export const combine = <Args extends ReadonlyArray<unknown>, A, E, R, Self = Blocking>(
  job: Omit<Job<Args, A, E, R, Self>, "extra" | "items" | "kind">,
  values: ReadonlyArray<unknown>
): Effect.Effect<unknown, E | JoinError, R | Self> => {
  if (values.length === 1) return Effect.succeed(values[0])
  const round = Effect.flatMap(poolOf(job.options), (pool) =>
    Effect.flatMap(pool.stats, (stats) => {
      const folding = { ...job, kind: "fold" as const, items: values, extra: [] }
      const lanes = lanesOf(job.called, job.options, stats)
      return gatherOn(pool, { ...stats, sharesMemory: false }, folding, lanes, combinedAtOnce, makeReport())
    }))
  return Effect.flatMap(Effect.mapError(round, withoutItem), ({ inOrder }) => combine(job, inOrder))
}

/** Removes the index from an error of `combine`, whose inputs are not items of the program. */
const withoutItem = <E>(error: E | JoinError): E | JoinError => {
  if (!isJoinError(error)) return error
  const { id, module, reason, task } = error
  return new JoinError({ task, module, id, reason })
}

// -----------------------------------------------------------------------------
// Options
// -----------------------------------------------------------------------------

export const poolOf = <Self>(options: Options<Self> | undefined): Context.Key<Self, Pool> =>
  // Without a pool, `Self` is inferred as the default pool.
  options?.pool ?? Blocking as Context.Key<unknown, Pool> as Context.Key<Self, Pool>

declare const navigator: { readonly hardwareConcurrency?: number } | undefined

export const lanesOf = <Self>(
  called: string,
  options: Options<Self> | undefined,
  { maxThreads }: PoolStats
): number => {
  const given = integer(called, "concurrency", options?.concurrency)
  if (given !== undefined) return Math.min(given, maxThreads)
  const cores = typeof navigator === "undefined" ? undefined : navigator.hardwareConcurrency
  return Math.min(maxThreads, Math.max(1, cores ?? maxThreads))
}

export const chunkSizeOf = <Self>(called: string, options: Options<Self> | undefined): number | undefined =>
  integer(called, "chunkSize", options?.chunkSize)

const integer = (called: string, option: string, value: unknown): number | undefined => {
  if (value === undefined || (Number.isSafeInteger(value) && (value as number) >= 1)) return value as number | undefined
  throw new RangeError(`${called}: ${option} must be an integer of at least 1, not ${describe(value)}`)
}

/** The items in shared memory, if all of them are numbers. */
const numbersOf = (items: ReadonlyArray<unknown>): Float64Array | undefined => {
  const { length } = items
  for (let i = 0; i < length; i++) if (typeof items[i] !== "number") return undefined
  const numbers = new Float64Array(new SharedArrayBuffer(8 * length))
  numbers.set(items as ReadonlyArray<number>)
  return numbers
}

// -----------------------------------------------------------------------------
// Whether it paid
// -----------------------------------------------------------------------------

/**
 * The ratio of the total time to the time of the items above which a warning is logged. One thread gains
 * nothing, so only a large ratio counts.
 */
const maxRatio = (lanes: number): number => lanes === 1 ? 2 : 1.1
/** The overhead allowed in addition, in milliseconds. */
const overheadMillis = 5

declare const process: { readonly cpuUsage?: () => { readonly user: number; readonly system: number } } | undefined

/** CPU time of this process and its threads, if the platform reports it. */
const cpuMillis = (): number => {
  const { system, user } = (typeof process === "undefined" ? undefined : process.cpuUsage?.()) ?? unknownUsage
  return (system + user) / 1000
}

const unknownUsage = { system: Infinity, user: 0 }

/** The call sites that were warned about, by pool. */
const warnedAt = new WeakMap<Pool, Set<string>>()

const warnIfSlower = <Args extends ReadonlyArray<unknown>, A, E, R, Self>(
  { called, site, task }: Job<Args, A, E, R, Self>,
  pool: Pool,
  before: PoolStats,
  lanes: number,
  { beganAt, isComparable, itemMillis, runs }: Report,
  cpuBefore: number
): Effect.Effect<void> => {
  if (beganAt === undefined || !isComparable) return Effect.void
  return Effect.flatMap(Clock.clockWith((clock) => Effect.sync(() => nowOf(clock) - beganAt)), (millis) => {
    const used = Math.min(millis, cpuMillis() - cpuBefore)
    // Without CPU times, the elapsed time counts.
    if ((Number.isNaN(used) ? millis : used) <= maxRatio(lanes) * itemMillis + overheadMillis) return Effect.void
    return Effect.flatMap(pool.stats, ({ submitted, threadsStarted }) => {
      const place = callSite(site)
      // Not comparable if other tasks used the pool, or if threads had to start.
      if (submitted - before.submitted > runs || threadsStarted > before.threadsStarted) return Effect.void
      const places = warnedAt.get(pool) ?? new Set()
      if (places.has(place)) return Effect.void
      warnedAt.set(pool, places.add(place))
      return Effect.logWarning(
        `${called} of task "${task.name}" took ${millis.toFixed(1)} ms, and its items ${itemMillis.toFixed(1)} ms ` +
          `at ${place}: the items are too short, or too large, to be sent to threads. ` +
          "Use a plain loop, one task for all items with Blocking.run, or Parallel.range"
      )
    })
  })
}

/** The first stack frame outside of this library. */
const callSite = (site: Error): string => site.stack?.split("\n")[2]?.trim().replace(/^at /, "") ?? "an unknown place"

/** The index of the failed item. */
export { indexOf } from "./loops.ts"
