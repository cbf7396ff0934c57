/** One computation over many items: which way it goes, and what is made of what the parts gave. */
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

/** What is asked for. */
export interface Job<Args extends ReadonlyArray<unknown>, A, E, R, Self> {
  /** As the program called it. */
  readonly called: string
  readonly kind: wire.LoopKind
  readonly task: Task<Args, A, E, R>
  /** Of a range only how many there are. */
  readonly items: ReadonlyArray<unknown> | number
  readonly extra: ReadonlyArray<unknown>
  readonly options: Options<Self> | undefined
  /** Whether any item that is found will do. */
  readonly any?: boolean
  /** Where it was called. */
  readonly site: Error
}

/** Results that are taken in at once. Measured: about a millisecond. */
const takenAtOnce = 2 ** 16

/** What the items gave, each in its place. */
export class Gathered implements Collector {
  /** Of a map. */
  readonly results: Array<unknown>
  /** Of a filter: 1 for what is kept. */
  readonly kept: Uint8Array
  /** Of a fold and of a range: where each part begins, and what it gave. */
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

  /** What lies in shared memory, and what came along. The event loop has its turn in between. */
  readonly take = Effect.fnUntraced(
    { self: this },
    function*(this: Gathered, { indices, kinds, results: numbers, values }: Slices) {
      const { kept, kind, parts, results } = this
      const length = Math.max(kept.length, results.length)
      for (let start = 0; start < length; start += takenAtOnce) {
        if (start > 0) yield* Effect.yieldNow
        const end = Math.min(start + takenAtOnce, length)
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

/** The most that an Int32 can count to. */
const maxLength = 2 ** 30

/** Does the job on its pool. */
export const gather = <Args extends ReadonlyArray<unknown>, A, E, R, Self = Blocking>(
  job: Job<Args, A, E, R, Self>
): Effect.Effect<Gathered, E | JoinError, R | Self> =>
  Effect.flatMap(poolOf(job.options), (pool) =>
    Effect.flatMap(pool.stats, (stats) => {
      const lanes = lanesOf(job.called, job.options, stats)
      const chunkSize = chunkSizeOf(job.called, job.options)
      const report = makeReport()
      // On a machine that has no core for it, a plain loop waits as well. Of other processes nothing is known.
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
    // What is next is written while the threads are busy, if all threads of the pool are at it.
    const ahead = lanes === stats.maxThreads ? 2 * lanes : lanes
    return Effect.map(drive(pool, loop, chunks, ahead, any, report), (found) => {
      gathered.found = found
      return gathered
    })
  })

/** Partial values are put together so many at a time: always the same ones, whatever the time allows. */
const combined = 32

/** Puts the values of a fold together, in order, on the pool: until one is left. */
export const combine = <Args extends ReadonlyArray<unknown>, A, E, R, Self = Blocking>(
  job: Omit<Job<Args, A, E, R, Self>, "extra" | "items" | "kind">,
  values: ReadonlyArray<unknown>
): Effect.Effect<unknown, E | JoinError, R | Self> => {
  if (values.length === 1) return Effect.succeed(values[0])
  const round = Effect.flatMap(poolOf(job.options), (pool) =>
    Effect.flatMap(pool.stats, (stats) => {
      const folding = { ...job, kind: "fold" as const, items: values, extra: [] }
      const lanes = lanesOf(job.called, job.options, stats)
      return gatherOn(pool, { ...stats, sharesMemory: false }, folding, lanes, combined, makeReport())
    }))
  return Effect.flatMap(Effect.mapError(round, ofNoItem), ({ inOrder }) => combine(job, inOrder))
}

/** What is put together are no items of the program. */
const ofNoItem = <E>(error: E | JoinError): E | JoinError => {
  if (!isJoinError(error)) return error
  const { id, module, reason, task } = error
  return new JoinError({ task, module, id, reason })
}

// -----------------------------------------------------------------------------
// Options
// -----------------------------------------------------------------------------

export const poolOf = <Self>(options: Options<Self> | undefined): Context.Key<Self, Pool> =>
  // Without a pool `Self` is inferred as that of the default pool.
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
  throw new RangeError(`${called} has ${option} ${describe(value)}: it must be an integer of at least 1`)
}

/** The items, if all of them are numbers, in memory that can be shared. */
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

/** What it may take, times the time of its items and some milliseconds, before that is told. One thread gains nothing, and is told only of what is out of all proportion. */
const mostTimes = (lanes: number): number => lanes === 1 ? 2 : 1.1
const costMillis = 5

declare const process: { readonly cpuUsage?: () => { readonly user: number; readonly system: number } } | undefined

/** CPU time of this process and its threads, as far as the platform tells. */
const cpuMillis = (): number => {
  const { system, user } = (typeof process === "undefined" ? undefined : process.cpuUsage?.()) ?? allOfIt
  return (system + user) / 1000
}

const allOfIt = { system: Infinity, user: 0 }

/** Where it was told already, of each pool. */
const told = new WeakMap<Pool, Set<string>>()

const warnIfSlower = <Args extends ReadonlyArray<unknown>, A, E, R, Self>(
  { called, site, task }: Job<Args, A, E, R, Self>,
  pool: Pool,
  before: PoolStats,
  lanes: number,
  { beganAt, itemMillis, runs }: Report,
  cpuBefore: number
): Effect.Effect<void> => {
  if (beganAt === undefined) return Effect.void
  return Effect.flatMap(Clock.clockWith((clock) => Effect.sync(() => nowOf(clock) - beganAt)), (millis) => {
    const used = Math.min(millis, cpuMillis() - cpuBefore)
    // Without a figure it is not known, and the time counts.
    if ((Number.isNaN(used) ? millis : used) <= mostTimes(lanes) * itemMillis + costMillis) return Effect.void
    return Effect.flatMap(pool.stats, ({ submitted, threadsStarted }) => {
      const place = callSite(site)
      // Who shares the pool with others waits for them, and the first for its threads.
      if (submitted - before.submitted > runs || threadsStarted > before.threadsStarted) return Effect.void
      const places = told.get(pool) ?? new Set()
      if (places.has(place)) return Effect.void
      told.set(pool, places.add(place))
      return Effect.logWarning(
        `${called} of task "${task.name}" took ${millis.toFixed(1)} ms, and its items ${itemMillis.toFixed(1)} ms ` +
          `at ${place}: they are too short, or too large, to be sent to a thread each. ` +
          "Use a plain loop, one task for all of them with Blocking.run, or Parallel.range"
      )
    })
  })
}

/** The first frame below this module and that which the program calls. */
const callSite = (site: Error): string => site.stack?.split("\n")[2]?.trim().replace(/^at /, "") ?? "an unknown place"

/** The index of the item that has failed. */
export { indexOf } from "./loops.ts"
